package consumer

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/transport"
)

// endless is a session that does not end.
type endless struct{ transport.Session }

func (endless) Done() <-chan struct{} { return nil }
func (endless) Err() error            { return nil }

// What a channel has delivered is the broker's again when the channel has ended. To learn why may
// take 5 s.
func TestNoHandlerBeginsWhenTheChannelHasEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var handled atomic.Int32
		p := newTestPool(1, func(*received) {
			handled.Add(1)
			time.Sleep(time.Second)
		})
		c := &Consumer{pool: p, stages: newStages(context.Background())}
		p.add(someReceived(10)...)
		synctest.Wait()
		_ = (&session{c: c, link: endless{}}).ended(nil)
		if n := handled.Load(); n != 1 {
			t.Errorf("%d handlers have begun, want the one before the end", n)
		}
		p.end()
	})
}
