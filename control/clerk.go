package control

import (
	"context"
	"log/slog"
	"time"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/foreign"
	"github.com/bunnicula-go/bunnicula/publisher"
)

const (
	maxAnswers  = 64       // that wait to be given; more are not given
	maxHandlers = 100      // of a consumer, in an answer
	maxStack    = 8 << 10  // bytes of a stack in an answer
	maxStacks   = 64 << 10 // bytes of all stacks of a consumer in an answer
)

// question is an ask, or an order whose writer wants to know who obeys.
type question struct {
	record *record
	to     string // where the answer goes
}

// clerk answers. It never holds up the reader: orders are obeyed while the broker takes no answer.
type clerk struct {
	ledger    *ledger             // immutable
	pub       publisher.Publisher // immutable
	process   Process             // immutable after Start, without consumers
	trouble   func() string       // immutable; of the Agent
	log       *slog.Logger        // immutable
	questions chan question
}

// ask has a question answered, unless too many wait.
func (c *clerk) ask(q question) {
	select {
	case c.questions <- q:
	default:
	}
}

func (c *clerk) run(ctx context.Context) {
	for {
		select {
		case q := <-c.questions:
			c.answer(ctx, q)
		case <-ctx.Done():
			return
		}
	}
}

// answer answers. Who gives an order is answered by processes that it concerns. The answer is not
// mandatory: RabbitMQ 3.10 returns a mandatory one that has arrived.
func (c *clerk) answer(ctx context.Context, q question) {
	members := c.ledger.concerned(q.record)
	if len(members) == 0 && q.record.Kind.isOrder() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	p := c.process
	p.Trouble = c.trouble()
	p.Consumers = make([]Member, 0, len(members))
	for _, m := range members {
		p.Consumers = append(p.Consumers, m.shown(c.ledger.obeyed(m), q.record.Running))
	}
	err := c.pub.Publish(ctx, q.to, answer{ControlVersion, q.record.ID, p},
		publisher.NotMandatory(), publisher.Transient(), publisher.CorrelationID(q.record.ID), publisher.Type(string(kindAnswer)), publisher.Timestamp(time.Now()))
	if err != nil && ctx.Err() == nil {
		c.log.Debug("a question of a fleet was not answered", "err", foreign.Line(foreign.Text(err, maxLogged), maxLogged))
	}
}

// shown returns what an answer says of a consumer.
func (m *member) shown(orderID string, running bool) Member {
	h := m.subject.Health()
	s := Member{
		Name: m.names[0], Queue: h.Queue, Connection: h.Connection, Partitions: m.partitions,
		Concurrency: m.concurrency, Limit: h.Limit, Paused: h.Paused, PausedByApp: h.Paused && !h.PausedByOrder,
		Ready: h.Ready, Subscribed: h.Subscribed, Stuck: h.Stuck, RunningCount: h.Running, OrderID: orderID,
	}
	if h.Err != nil {
		s.Err = foreign.Text(h.Err, maxError)
	}
	if !running {
		return s
	}
	left := maxStacks
	all := m.subject.Running()
	for _, r := range all[:min(len(all), maxHandlers)] {
		handler := handlerOf(r, min(left, maxStack))
		left -= len(handler.Stack)
		s.Running = append(s.Running, handler)
	}
	return s
}

func handlerOf(r consumer.Running, stack int) Handler {
	return Handler{
		MessageID: foreign.Cut(r.MessageID, maxName), Given: r.MessageIDGiven, Type: foreign.Cut(r.Type, maxName),
		Attempt: r.Attempt, Since: r.Since.UTC().Truncate(time.Millisecond), Stuck: r.Stuck, Stack: foreign.Cut(r.Stack, stack),
	}
}
