package sending

import (
	"errors"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
)

func lent(body []byte) *Message {
	return &Message{env: Envelope{Lent: true, Publishing: amqp.Publishing{Body: body}}, pipeline: new(Pipeline)}
}

func TestWhatIsWrittenOfALentBodyIsACopyUntilItsCallerHasGone(t *testing.T) {
	body := []byte("before")
	m, s := lent(body), new(scratch)
	msg := m.claim(s)
	m.abandon(errors.New("gone"))
	copy(body, "after!")
	if string(msg.Body) != "before" {
		t.Errorf("written: %q", msg.Body)
	}
	if again := m.claim(s); again != nil {
		t.Errorf("written again: %q", again.Body)
	}
}

func TestTheReturnOfALentBodyIsKnownWithoutItOnceItsCallerHasGone(t *testing.T) {
	m := lent([]byte("before"))
	if !m.hasBody([]byte("before")) || m.hasBody([]byte("other")) {
		t.Error("it is not compared while the caller waits")
	}
	m.abandon(errors.New("gone"))
	m.env.Body[0] = 'x'
	if !m.hasBody([]byte("before")) {
		t.Error("it is compared with what the caller has made of it")
	}
}

func TestABodyThatIsNotLentIsWrittenAsItIs(t *testing.T) {
	m := &Message{env: Envelope{Publishing: amqp.Publishing{Body: []byte("own")}}, pipeline: new(Pipeline)}
	if msg := m.claim(new(scratch)); &msg.Body[0] != &m.env.Body[0] {
		t.Error("it was copied")
	}
}

func TestAScratchKeepsItsMemoryUnlessItIsLarge(t *testing.T) {
	var s scratch
	msg := amqp.Publishing{Body: make([]byte, 1000)}
	s.copy(&msg)
	s.release()
	if n := testing.AllocsPerRun(100, func() { s.copy(&msg); s.release() }); n > 0 {
		t.Errorf("%v allocations", n)
	}
	s.copy(&amqp.Publishing{Body: make([]byte, largestScratch+1)})
	s.release()
	if s.body != nil {
		t.Errorf("%d bytes are kept", cap(s.body))
	}
}
