package brokertest

import (
	"testing/synctest"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/simulated"
	"github.com/bunnicula-go/bunnicula/internal/transport"
)

// simulation is a broker in memory.
type simulation struct {
	*simulated.Broker

	standstill *standstill // nil if nobody watches
}

func newSimulation(s *standstill) simulation {
	return simulation{simulated.New(simulated.Options{Version: simulated.RabbitMQ43, Silent: true, Busy: busy}), s}
}

// busy is how many frames come at one moment until they take time. A message that is published,
// handled and acked is about six.
var busy = 250_000

func (s simulation) connect(name string) (transport.Connection, error) { return s.Process(name), nil }

func (s simulation) kill(conn transport.Connection) { conn.(*simulated.Process).Kill(0) }

func (s simulation) cut([]transport.Connection) { s.Restart(0) }

func (s simulation) queues() []string { return s.Queues() }

func (s simulation) count(queue string) (count, bool) {
	if !s.Has(queue) {
		return count{}, false
	}
	c := count{consumers: s.Consumers(queue)}
	c.ready, c.unacked, c.kept = s.Depth(queue)
	return c, true
}

func (s simulation) dead(queue string) string {
	exchange, _ := s.Argument(queue, "x-dead-letter-exchange").(string)
	key, _ := s.Argument(queue, "x-dead-letter-routing-key").(string)
	if exchange != "" {
		return ""
	}
	return key
}

func (s simulation) remove(queue string) { s.Delete(queue) }

func (s simulation) rest() {
	defer s.standstill.waits()()
	synctest.Wait()
}

func (s simulation) calm() (int, time.Duration) { return 1, time.Millisecond }

func (s simulation) memory() memory { return s.Broker }

func (s simulation) close() {}
