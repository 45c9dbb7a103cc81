package consumer_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/simulated"
)

// The broker answers one consumer's declaration with an internal error, which ends the whole
// connection.
func TestADeclarationThatEndsTheConnectionHarmsNoOtherConsumer(t *testing.T) {
	var bad atomic.Bool
	o := usual
	o.Faults = func(s simulated.Step) simulated.Fault {
		if bad.Load() && s.Kind == "declare" && s.Queue == "bad-error" {
			return simulated.Fault{Kind: simulated.CloseSession, Code: 541}
		}
		return simulated.Fault{}
	}
	inLab(t, o, func(l *lab) {
		var did tally
		p := l.process("p")
		handler := func(ctx context.Context, d consumer.Delivery) consumer.Result { return did.handle(ctx, d, 0) }
		for i := range 20 {
			l.start(p, consumer.Spec{Queue: fmt.Sprint("good", i), Handler: handler})
		}
		l.start(p, consumer.Spec{Queue: "bad", Handler: handler})
		bad.Store(true)
		l.sim.Restart(0)
		time.Sleep(time.Minute)
		before := l.events(simulated.Subscribed, "good0")
		time.Sleep(10 * time.Minute)
		if n := l.events(simulated.Subscribed, "good0") - before; n > 3 {
			l.Errorf("another consumer subscribed %d times in 10 minutes", n)
		}
	})
}
