package consumer_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/simulated"
	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/monitoring/monitoringtest"
)

// A copy that the broker takes late is known to be blocked two seconds after it was sent, and no
// longer once it is confirmed.
func TestACopyWithoutAConfirmIsBlocked(t *testing.T) {
	inLab(t, simulated.Options{}, func(l *lab) {
		spec := consumer.Spec{Queue: "orders", Handler: func(context.Context, consumer.Delivery) consumer.Result {
			l.sim.Alarm(10 * time.Second)
			return consumer.Retry(errors.New("not today"))
		}}
		var told monitoringtest.Recorder
		c := l.startWatched(l.process("worker"), spec, &told)
		l.publish("orders", "one", "two") // the broker takes the first that it reads
		for _, at := range []struct {
			after   time.Duration // since the look before
			blocked int
		}{{1900 * time.Millisecond, 0}, {200 * time.Millisecond, 1}, {7 * time.Second, 1}, {time.Minute, 0}} {
			time.Sleep(at.after)
			if h := c.Health(); h.CopiesBlocked != at.blocked {
				t.Errorf("after %s more: %d copies are blocked, want %d", at.after, h.CopiesBlocked, at.blocked)
			}
		}
		if all := told.Outcomes(); len(all) != 2 || all[1].Action != monitoring.Retried {
			t.Errorf("the monitor was told %v, want two retries", all)
		}
		l.wantDepths(map[string]int{"orders": 0, "orders-retry-1h": 2})
	})
}
