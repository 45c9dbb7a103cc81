package sending

import (
	"context"
	"testing"
	"time"
)

// A message's key becomes stuck while the message takes its place, and its context ends just then.
func TestAMessageThatEndsWhileItsLaneIsChosenIsCountedOnce(t *testing.T) {
	p := newPipe()
	s := p.pipeline
	ctx, cancel := context.WithCancel(t.Context())
	s.router.mu.Lock()
	begun := make(chan *Message, 1)
	go func() {
		m, err := s.Begin(ctx, Envelope{RoutingKey: "k"}, true)
		if err != nil {
			t.Error(err)
		}
		begun <- m
	}()
	for s.InFlight() == 0 {
		time.Sleep(time.Millisecond)
	}
	cancel()
	for s.roster.waiting() > 0 {
		time.Sleep(time.Millisecond)
	}
	s.router.stick(key{routing: "k"}, p.lane)
	s.router.mu.Unlock()
	m := <-begun
	if !isDone(m) {
		t.Error("it has not ended")
	}
	if m.claim(&p.scratch) != nil {
		t.Error("it is written")
	}
	if n, d := s.roster.count, s.roster.deserted; n != 1 || d != 1 {
		t.Errorf("%d in flight, %d deserted, want 1, 1", n, d)
	}
	s.leave(m, nil)
	if n, d := s.roster.count, s.roster.deserted; n != 0 || d != 0 {
		t.Errorf("%d in flight, %d deserted, want none", n, d)
	}
	select {
	case <-s.roster.stop():
	case <-time.After(2 * time.Second):
		t.Error("Stop waits for ever")
	}
	p.close()
}

// Its time is over between two tries to choose its lane, when it is in no count.
func TestAMessageThatEndsBetweenTwoLanesIsNotWaitedFor(t *testing.T) {
	p := newPipe()
	defer p.close()
	r := &p.pipeline.roster
	m := async(t.Context(), p.pipeline, time.Time{})
	r.left(m)
	m.abandon(ErrClosed)
	r.join(t.Context(), m)
	if n := r.waiting(); n != 0 {
		t.Errorf("Stop waits for %d messages", n)
	}
	r.left(m)
	if r.count != 0 || r.deserted != 0 {
		t.Errorf("%d in flight, %d deserted, want none", r.count, r.deserted)
	}
}
