package consumer_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/simulated"
)

// Many are taken ahead of handlers that need microseconds, and then each message is large. The
// client keeps what comes, so that what is above the budget must go back.
func TestLargeMessagesBehindSmallOnesAreNotAllTakenAhead(t *testing.T) {
	for _, version := range []simulated.Version{simulated.RabbitMQ3, simulated.RabbitMQ43} {
		t.Run(version.String(), func(t *testing.T) {
			inLab(t, simulated.Options{Version: version}, func(l *lab) { // frames take no time: a full socket would hold the acks up
				const small, large, size = 1000, 300, 256 << 10
				var did tally
				open := make(chan struct{})
				spec := consumer.Spec{Queue: "orders", Handler: func(ctx context.Context, d consumer.Delivery) consumer.Result {
					if len(d.Body) == size {
						<-open
					}
					return did.handle(ctx, d, 0)
				}}
				l.declare(spec)
				l.publishMany("orders", small)
				body := []byte(strings.Repeat("x", size))
				for i := range large {
					l.publishBody("orders", fmt.Sprint("large", i), body)
				}
				c := l.start(l.process("p"), spec)
				time.Sleep(time.Second)
				if n, prefetch := did.messages("orders"), c.Health().Prefetch; n != small || prefetch != 300 {
					l.Fatalf("%d of %d small ones are handled, the prefetch is %d", n, small, prefetch)
				}
				_, unacked, _ := l.sim.Depth("orders")
				if most := 129 + 10 + 4 + 1; unacked > most { // the budget, those that are kept, handled, and next
					t.Errorf("%d large messages are here, want %d at most", unacked, most)
				}
				close(open)
				l.wait(time.Minute, "all are handled", func() bool { return did.messages("large") == large })
				if h := c.Health(); h.Prefetch != 10 || !h.Ready {
					t.Errorf("health is %+v", h)
				}
				for i := range large {
					if n := did.of(fmt.Sprint("large", i)); n != 1 {
						t.Errorf("large%d was handled %d times", i, n)
					}
				}
				l.wantDepths(map[string]int{"orders": 0, "orders-quarantine": 0, "orders-error": 0})
			})
		})
	}
}
