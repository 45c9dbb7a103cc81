package consumer_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/monitoring"
)

// blocking is a monitor whose calls about some messages return only when free is closed.
type blocking struct {
	monitoring.Nop
	id     string // the first letters of their ids
	begins bool   // of Begin; otherwise of End
	free   chan struct{}
}

func (b *blocking) block(d monitoring.Delivery) {
	if strings.HasPrefix(d.MessageID, b.id) {
		<-b.free
	}
}

func (b *blocking) Begin(ctx context.Context, d monitoring.Delivery) context.Context {
	if b.begins {
		b.block(d)
	}
	return ctx
}

func (b *blocking) End(_ context.Context, d monitoring.Delivery, _ monitoring.Outcome) {
	if !b.begins {
		b.block(d)
	}
}

// The monitor's blocked call costs a slot, and no more.
func TestAMonitorThatBlocksOverASuspectHoldsUpNobody(t *testing.T) {
	for _, begins := range []bool{true, false} {
		t.Run(fmt.Sprint("begin ", begins), func(t *testing.T) {
			inLab(t, usual, func(l *lab) {
				var did tally
				p, monitor := l.process("p"), &blocking{id: "suspect", begins: begins, free: make(chan struct{})}
				defer close(monitor.free)
				handler := func(ctx context.Context, d consumer.Delivery) consumer.Result { return did.handle(ctx, d, 0) }
				l.startWatched(p, consumer.Spec{Queue: "orders", Handler: handler}, monitor)
				l.start(p, consumer.Spec{Queue: "invoices", Handler: handler})
				l.publish("orders-quarantine", "suspect")
				time.Sleep(20 * time.Second)
				l.publish("orders", "usual")
				l.publish("invoices-quarantine", "another")
				l.wait(30*time.Second, "handled beside it", func() bool { return did.of("usual") == 1 })
				l.wait(30*time.Second, "handled alone in another queue", func() bool { return did.of("another") == 1 })
			})
		})
	}
}

// A gate that closes waits for handlers, and not for a call of the monitor that does not return.
func TestASuspectDoesNotWaitForAMonitorThatBlocks(t *testing.T) {
	for _, begins := range []bool{true, false} {
		t.Run(fmt.Sprint("begin ", begins), func(t *testing.T) {
			inLab(t, usual, func(l *lab) {
				var did tally
				monitor := &blocking{id: "blocking", begins: begins, free: make(chan struct{})}
				defer close(monitor.free)
				l.startWatched(l.process("p"), consumer.Spec{Queue: "orders", Handler: func(ctx context.Context, d consumer.Delivery) consumer.Result {
					return did.handle(ctx, d, 0)
				}}, monitor)
				l.publish("orders", "blocking")
				time.Sleep(10 * time.Second)
				l.publish("orders-quarantine", "suspect")
				time.Sleep(11 * time.Second)
				l.publish("orders", "usual")
				l.wait(15*time.Second, "handled", func() bool { return did.of("usual") == 1 && did.of("suspect") == 1 })
			})
		})
	}
}
