package sending

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	amqp "github.com/rabbitmq/amqp091-go"
)

// told is a Sender that notes what it is told.
type told struct{ errs []error }

func (s *told) Ended(err error) { s.errs = append(s.errs, err) }

// want asserts that the sender was told once, and what.
func (s *told) want(t *testing.T, what error) {
	t.Helper()
	if len(s.errs) != 1 || !errors.Is(s.errs[0], what) {
		t.Errorf("told %v, want one end, with %v", s.errs, what)
	}
}

// carry is a carrier that writes the oldest message.
func (p *pipe) carry() *Message {
	promise := &promise{done: make(chan struct{})}
	p.promises = append(p.promises, promise)
	m := p.lane.next()
	m.claim(&p.scratch)
	p.tag++
	p.sent <- entry{m: m, tag: p.tag, confirm: promise}
	return m
}

func TestWhoPostsIsToldOnceWhatBecameOfIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPipe()
		defer p.close()
		var acked, nacked told
		p.pipeline.Post(t.Context(), Envelope{RoutingKey: "a"}, &acked)
		p.pipeline.Post(t.Context(), Envelope{RoutingKey: "b"}, &nacked)
		p.carry()
		p.carry()
		synctest.Wait()
		if len(acked.errs)+len(nacked.errs) > 0 {
			t.Error("told before the confirm")
		}
		p.confirm(0, true)
		p.confirm(1, false)
		synctest.Wait()
		acked.want(t, nil)
		nacked.want(t, ErrNacked)
		if n := p.pipeline.InFlight(); n != 0 || len(p.pipeline.room) != 0 {
			t.Errorf("%d are in flight, %d places are taken", n, len(p.pipeline.room))
		}
	})
}

func TestWhoPostsIsToldOnceThatItsContextHasEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPipe()
		defer p.close()
		ctx, cancel := context.WithCancel(t.Context())
		var queued, written, late told
		p.pipeline.Post(ctx, Envelope{RoutingKey: "a"}, &written)
		p.carry()
		p.pipeline.Post(ctx, Envelope{RoutingKey: "a"}, &queued)
		cancel()
		synctest.Wait()
		p.pipeline.Post(ctx, Envelope{RoutingKey: "a"}, &late)
		for _, s := range []*told{&queued, &written, &late} {
			s.want(t, context.Canceled)
		}
		if written.want(t, ErrUnconfirmed); errors.Is(queued.errs[0], ErrUnconfirmed) {
			t.Error("what was not written is not confirmed")
		}
		p.confirm(0, true)
		synctest.Wait()
		written.want(t, context.Canceled)
	})
}

func TestPostWaitsForNoPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPipe()
		defer p.close()
		for range cap(p.pipeline.room) {
			p.pipeline.room <- struct{}{}
		}
		var s told
		p.pipeline.Post(t.Context(), Envelope{RoutingKey: "a"}, &s)
		s.want(t, ErrFull)
	})
}

func TestWhatCannotBePostedEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPipe()
		defer p.close()
		var large, stopped told
		p.pipeline.Post(t.Context(), Envelope{Publishing: amqp.Publishing{Headers: amqp.Table{"x": string(make([]byte, 1<<20))}}}, &large)
		large.want(t, ErrTooLarge)
		p.pipeline.roster.stop()
		p.pipeline.Post(t.Context(), Envelope{RoutingKey: "a"}, &stopped)
		stopped.want(t, ErrClosed)
	})
}
