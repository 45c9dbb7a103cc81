package link

import (
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/transport"
)

// answering is a channel that answers at once.
type answering struct{ transport.Channel }

func (answering) Qos(int, int, bool) error { return nil }
func (answering) IsClosed() bool           { return false }

// A retired session lasts as long as it is used, and Pulse keeps its channel.
func TestTheChannelOfPulseIsNobodysUse(t *testing.T) {
	s := newSession(&member{}, time.Second, Target{})
	s.opened = []*amqp.Channel{{}}
	if !s.isUsed() {
		t.Error("a channel is open, and the session counts as unused")
	}
	for s.asker.Pulse(func() (transport.Channel, error) { return answering{}, nil }) == 0 {
		time.Sleep(time.Millisecond)
	}
	if s.isUsed() {
		t.Error("only the channel of Pulse is open, and the session counts as used")
	}
	s.opened = append(s.opened, new(amqp.Channel))
	if !s.isUsed() {
		t.Error("another channel is open, and the session counts as unused")
	}
}
