package link

import (
	"context"
	"sync"

	amqp "github.com/rabbitmq/amqp091-go"
)

// pulse shows whether the broker answers at all. It has a channel of its own from the first request
// on, until the session ends.
type pulse struct {
	ch *amqp.Channel // of the goroutine that asks, of which there is one at most

	mu      sync.Mutex // guards what is below
	asks    bool       // an answer is still to come
	answers uint64
}

// Pulse makes a request, unless the answer to one is still to come, and returns how many were
// answered. The broker may take as long as it wants.
func (s *session) Pulse() (answers uint64) {
	p := &s.pulse
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.asks {
		p.asks = true
		go func() { p.answered(s.ask(p)) }()
	}
	return p.answers
}

func (s *session) ask(p *pulse) error {
	if p.ch == nil || p.ch.IsClosed() {
		ch, err := s.channel(context.Background(), func(_ context.Context, _ string, f func() error) error { return f() })
		if err != nil {
			return err
		}
		p.ch = ch
	}
	return p.ch.Qos(0, 0, false)
}

func (p *pulse) answered(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.asks = false; err == nil {
		p.answers++
	}
}
