package consumer_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/simulated"
)

// A user who may look again sees the messages that wait.
func TestAGuardThatMayLookAgainWaitsForHandlersAgain(t *testing.T) {
	var refusing atomic.Bool
	o := usual
	o.Faults = func(s simulated.Step) simulated.Fault {
		if refusing.Load() && s.Kind == "declare" && s.Queue == "orders-quarantine" {
			return simulated.Fault{Kind: simulated.CloseChannel, Code: 403}
		}
		return simulated.Fault{}
	}
	inLab(t, o, func(l *lab) {
		var did tally
		l.start(l.process("p"), consumer.Spec{Queue: "orders", Concurrency: 4, Handler: func(ctx context.Context, d consumer.Delivery) consumer.Result {
			return did.handle(ctx, d, 300*time.Millisecond)
		}})
		refusing.Store(true)
		time.Sleep(time.Minute)
		refusing.Store(false)
		l.publish("orders-quarantine", "suspect")
		stop := time.After(2 * time.Minute)
		for i := 0; did.of("suspect") == 0; i++ {
			l.publishMany("orders", 1)
			time.Sleep(50 * time.Millisecond)
			select {
			case <-stop:
				l.Error("the suspect was not handled within 2 minutes")
				return
			default:
			}
		}
	})
}
