package sending

import (
	"context"
	"slices"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/backoff"
	"github.com/bunnicula-go/bunnicula/internal/transport"
)

// inquiry finds the message for which the broker ended a channel or a connection. It has the
// suspects, which no lane carries meanwhile, and a dedicated connection, so that a guilty one harms
// nobody else.
type inquiry struct {
	pipeline *Pipeline
	link     transport.Link
	ctx      context.Context // ends with the budget
	held     sync.WaitGroup  // channels that end with the connection

	mu      sync.Mutex // guards unclear
	unclear []*Message // the whole connection ended while they were tested beside others
}

const (
	// inquiryBudget is how long an inquiry may take. Who is not found guilty by then goes back to
	// the lanes.
	inquiryBudget = 30 * time.Second
	// looksWithin is how many beats a test waits until the broker has looked at all that it sent:
	// then whom it has not refused has no fault. A queue without majority may hold up the channel,
	// and then nothing is proven of anybody on it.
	looksWithin = 10
	// confirmsWithin is how long a test waits for confirms after that.
	confirmsWithin = time.Second
	// testsAtOnce is how many keys are tested at the same time.
	testsAtOnce = 64
)

// inquire finds out which of the suspects is guilty; all says that nobody else can be. It returns
// at once.
func (p *Pipeline) inquire(suspects []*Message, cause *amqp.Error, all bool) {
	suspects, others := narrowed(suspects, cause)
	p.putBack(others...)
	if len(suspects) == 1 && all && !wholeConnection(cause) {
		p.leave(suspects[0], refused(cause))
		return
	}
	// Who was given up by its caller needs no verdict.
	suspects = slices.DeleteFunc(suspects, func(m *Message) bool {
		if m.state.Load() != ended {
			return false
		}
		p.leave(m, nil)
		return true
	})
	if len(suspects) > 0 && !p.carriers.start(func() { p.investigate(suspects, cause) }) {
		p.giveUp(ErrClosed, suspects...)
	}
}

// investigate holds an inquiry when no other one goes on.
func (p *Pipeline) investigate(suspects []*Message, cause *amqp.Error) {
	select {
	case p.inquiry <- struct{}{}:
		defer func() { <-p.inquiry }()
	case <-p.ctx.Done():
		p.giveUp(ErrClosed, suspects...)
		return
	}
	ctx, cancel := context.WithTimeout(p.ctx, inquiryBudget)
	defer cancel()
	q := &inquiry{pipeline: p, link: p.conn.Dedicated("publish suspects"), ctx: ctx}
	defer q.held.Wait()
	defer hangUp(q.link)
	q.find(suspects, cause)
}

func hangUp(l transport.Link) {
	ctx, cancel := context.WithTimeout(context.Background(), goodbye)
	defer cancel()
	l.Close(ctx)
}

// find tests each key's messages beside those of the others: a queue without majority holds up its
// own test only. Who ended the whole connection is found by one test after the other.
func (q *inquiry) find(group []*Message, cause *amqp.Error) {
	if !wholeConnection(cause) {
		var tests sync.WaitGroup
		places := make(chan struct{}, testsAtOnce)
		for _, part := range byKey(group, cause) {
			places <- struct{}{}
			tests.Go(func() {
				q.search(part, cause, true)
				<-places
			})
		}
		tests.Wait()
		group = q.unclear
	}
	q.search(group, cause, false)
}

// search tests the halves of a group in which somebody may be guilty, the more likely half first,
// and then the halves of a half that is refused.
func (q *inquiry) search(group []*Message, cause *amqp.Error, besideOthers bool) {
	parts := halves(group, cause)
	for len(parts) > 0 {
		part := parts[0]
		parts = parts[1:]
		sent, unsent, cause := q.test(part)
		switch {
		case len(sent) == 0: // they are innocent, or nothing is proven
		case besideOthers && wholeConnection(cause):
			q.mu.Lock()
			q.unclear = append(q.unclear, sent...)
			q.mu.Unlock()
		case len(sent) == 1:
			q.pipeline.leave(sent[0], refused(cause))
		default:
			parts = append(halves(sent, cause), parts...)
		}
		switch {
		case len(unsent) == 0:
		case q.ctx.Err() != nil:
			q.release(unsent)
		default:
			parts = append(parts, unsent)
		}
	}
}

// halves parts a group, the more likely ones first.
func halves(group []*Message, cause *amqp.Error) [][]*Message {
	if len(group) < 2 {
		return [][]*Message{group}[:len(group)]
	}
	byGuilt(group, cause)
	half := len(group) / 2
	return [][]*Message{group[:half:half], group[half:]}
}

// release gives messages back to their lanes.
func (q *inquiry) release(group []*Message) {
	if q.pipeline.ctx.Err() != nil {
		q.pipeline.giveUp(ErrClosed, group...)
		return
	}
	q.pipeline.putBack(group...)
}

// test sends a group on a channel of its own. Whose fate is known afterwards has left, and who is
// innocent was released. If the broker has ended the channel for one of those that were sent, cause
// is why.
func (q *inquiry) test(group []*Message) (sent, unsent []*Message, cause *amqp.Error) {
	byOrder(group)
	f := q.open()
	if f == nil {
		backoff.Wait(q.ctx, 100*time.Millisecond) // the session is about to end
		return nil, group, nil
	}
	n := 0
	for n < min(len(group), sharedAhead) && f.write(q.ctx, group[n]) {
		n++
	}
	if f.torn != nil {
		n++
	}
	if !q.answers(f) {
		q.release(f.takeOff())
		q.held.Go(func() { // the channel may have ended just now, so that nothing was taken off, or over a write
			f.close()
			suspects, innocent := f.suspects()
			q.release(append(suspects, innocent...))
		})
		q.release(group[n:])
		return nil, nil, nil
	}
	f.settled(q.ctx, confirmsWithin)
	f.close()
	sent, innocent := f.suspects()
	q.release(innocent)
	if !blamed(f.outcome.cause) {
		return nil, group[n:], nil
	}
	return sent, group[n:], f.outcome.cause
}

// answers is false if the broker has not looked at all that was sent.
func (q *inquiry) answers(f *flight) bool {
	answer := f.question.ask(f.ch)
	ticks := time.NewTicker(lookEvery) // often: see doubt.grow
	defer ticks.Stop()
	for doubt := (doubt{}); ; {
		select {
		case <-answer:
			return true
		case <-f.dead:
			return true
		case now := <-ticks.C:
			if doubt.grow(f.session, now) >= looksWithin {
				return false
			}
		case <-q.ctx.Done():
			return false
		}
	}
}

// open opens a channel for a test. It is nil if that cannot be.
func (q *inquiry) open() *flight {
	session, err := q.link.Session(q.ctx)
	if err != nil {
		return nil
	}
	f, err := q.pipeline.fly(q.ctx, session, nil)
	if err != nil {
		return nil
	}
	return f
}
