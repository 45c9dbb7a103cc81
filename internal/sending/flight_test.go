package sending

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/transport"
)

// promise is a confirm that comes when a test says so.
type promise struct {
	done  chan struct{}
	acked bool
}

func (p *promise) Done() <-chan struct{} { return p.done }
func (p *promise) Acked() bool           { return p.acked }

// pipe is a collector without a broker.
type pipe struct {
	*flight
	collector *collector
	lane      *lane
	promises  []*promise
}

// openChannel is a channel that has not ended; nothing else is asked of it.
type openChannel struct{ transport.Channel }

func (openChannel) IsClosed() bool { return false }

// openSession is a session without an alarm.
type openSession struct{ transport.Session }

func (openSession) Blocked() (string, bool, <-chan struct{}) { return "", false, nil }
func (openSession) Pulse() uint64                            { return 0 }

// upLink is a link that is connected.
type upLink struct{ transport.Link }

func (upLink) Health() transport.LinkHealth { return transport.LinkHealth{Connected: true} }

func newPipe() *pipe {
	s := &Pipeline{link: upLink{}, window: 1000, room: make(account, 1000)}
	s.ctx, s.cancel = context.WithCancelCause(context.Background())
	l := &lane{pipeline: s, room: make(account, 500), wake: make(chan struct{}, 1), ended: make(chan struct{})}
	s.router.shared = l
	f := &flight{
		pipeline: s, session: openSession{}, ch: openChannel{}, orders: orders{sent: make(chan entry, 1000)},
		dead: make(chan struct{}), finished: make(chan struct{}), ahead: ahead{more: make(chan struct{}, 1)},
	}
	c := &collector{
		flight: f, returns: returns{from: make(chan amqp.Return, 1000)}, closed: make(chan *amqp.Error), stall: &stall{lane: l},
	}
	p := &pipe{lane: l, flight: f, collector: c}
	go c.run()
	return p
}

func (p *pipe) send(env Envelope) *Message {
	promise := &promise{done: make(chan struct{})}
	p.promises = append(p.promises, promise)
	m := &Message{env: env, pipeline: p.pipeline, account: p.pipeline.room}
	m.account <- struct{}{}
	p.pipeline.roster.join(context.Background(), m)
	p.pipeline.router.enter(m, nil, nil)
	m.claim(&p.scratch)
	p.tag++
	p.sent <- entry{m: m, tag: p.tag, confirm: promise}
	return m
}

func (p *pipe) confirm(i int, ack bool) {
	p.promises[i].acked = ack
	close(p.promises[i].done)
}

func (p *pipe) close() {
	close(p.sent)
	close(p.collector.closed)
	<-p.finished
}

func isDone(m *Message) bool {
	select {
	case <-m.Done():
		return true
	default:
		return false
	}
}

func TestAConfirmThatNeverComesHoldsUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPipe()
		p.send(Envelope{RoutingKey: "no majority"})
		// Others come all the time, and faster than the collector looks at them.
		for i := 1; i <= 200; i++ {
			m := p.send(Envelope{})
			time.Sleep(lookEvery / 4)
			p.confirm(i, true)
			began := time.Now()
			for !isDone(m) && time.Since(began) < time.Second {
				time.Sleep(time.Millisecond)
				if time.Since(began).Milliseconds()%5 == 4 { // and do not put it off
					i++
					p.send(Envelope{})
					p.confirm(i, true)
				}
			}
			if took := time.Since(began); took > 2*lookEvery {
				t.Fatalf("confirmed after %s", took)
			}
		}
		p.confirm(0, true)
		p.close()
	})
}

func TestTheOldestIsSettledAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPipe()
		a, b := p.send(Envelope{}), p.send(Envelope{})
		began := time.Now()
		p.confirm(0, true)
		synctest.Wait()
		p.confirm(1, false)
		synctest.Wait()
		if !isDone(a) || a.Err() != nil || !isDone(b) || !errors.Is(b.Err(), ErrNacked) {
			t.Errorf("acked: %v, nacked: %v", a.Err(), b.Err())
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("after %s", took)
		}
		if n := len(p.pipeline.room); n != 0 {
			t.Errorf("%d places in the window are not given back", n)
		}
		p.close()
	})
}

func TestTheCollectorIsWokenByConfirmsAndNotByEachMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPipe()
		first := p.send(Envelope{})
		synctest.Wait()
		second, third := p.send(Envelope{}), p.send(Envelope{})
		synctest.Wait()
		if n := len(p.sent); n != 2 {
			t.Errorf("%d messages wait to be looked at, want the 2 behind the first", n)
		}
		for i := range 3 {
			p.confirm(i, true)
		}
		synctest.Wait()
		if !isDone(first) || !isDone(second) || !isDone(third) {
			t.Error("not all that is confirmed has ended")
		}
		if n := p.pipeline.InFlight(); n != 0 {
			t.Errorf("%d messages are in flight", n)
		}
		p.close()
	})
}

func TestAReturnBelongsToItsMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPipe()
		env := Envelope{Exchange: "e", RoutingKey: "k", Publishing: amqp.Publishing{MessageId: "m", Body: []byte("b")}}
		different := []*Message{p.send(env)} // but for being the one that is not mandatory
		change := func(f func(e *Envelope)) {
			e := env
			f(&e)
			different = append(different, p.send(e))
		}
		different[0].env.NotMandatory = true
		change(func(e *Envelope) { e.MessageId = "other" })
		change(func(e *Envelope) { e.Exchange = "other" })
		change(func(e *Envelope) { e.RoutingKey = "other" })
		change(func(e *Envelope) { e.Body = []byte("other") })
		first, second := p.send(env), p.send(env)

		p.collector.returns.from <- amqp.Return{ReplyCode: 312, ReplyText: "NO_ROUTE", MessageId: "m", Exchange: "e", RoutingKey: "k", Body: []byte("b")}
		for i := range p.promises {
			p.confirm(i, true)
		}
		p.close()
		for i, m := range different {
			if m.Err() != nil {
				t.Errorf("different %d: %v", i, m.Err())
			}
		}
		if !errors.Is(first.Err(), ErrUnroutable) || second.Err() != nil {
			t.Errorf("of two equal ones: %v, then %v; want that the first takes it", first.Err(), second.Err())
		}
	})
}

func TestAMessageWhoseCallerHasGoneGivesItsPlaceBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPipe()
		m := p.send(Envelope{})
		m.abandon(errors.New("gone"))
		if !errors.Is(m.Err(), ErrUnconfirmed) {
			t.Errorf("got %v, want ErrUnconfirmed", m.Err())
		}
		p.confirm(0, true)
		p.close()
		if n := len(p.pipeline.room); n != 0 || !errors.Is(m.Err(), ErrUnconfirmed) {
			t.Errorf("%d places are not given back; %v", n, m.Err())
		}
	})
}
