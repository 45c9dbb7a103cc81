package consumer_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/test/simulated"
)

// No start reports it, so that the log has to.
func TestALazyConsumerLogsTheFirstErrorThatSomebodyHasToMend(t *testing.T) {
	inLab(t, simulated.Options{Latency: time.Millisecond}, func(l *lab) {
		s, err := l.processes[0].Consuming().Session(context.Background())
		l.must(err)
		ch, err := s.Channel(context.Background())
		l.must(err)
		_, err = ch.QueueDeclare("orders", true, false, false, false, amqp.Table{"x-queue-type": "quorum", "x-message-ttl": int64(1000)})
		l.must(err)
		l.must(ch.Close())

		p := l.process("lazy")
		p.SetLazy()
		c, log := l.logged(p, consumer.Spec{Queue: "orders", Handler: always(consumer.Ack())})
		l.must(c.Start(context.Background()))
		time.Sleep(time.Second)
		log.want(t, slog.LevelError, "consumer cannot go on until somebody changes something", nil)
	})
}
