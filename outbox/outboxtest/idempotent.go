package outboxtest

import (
	"database/sql"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/consumer/consumertest"
	"github.com/bunnicula-go/bunnicula/monitoring"
)

// Idempotent delivers one message as often as bad luck does, and fails the test if that has another
// effect on the tables of the database than to handle it once:
//
//   - its transaction is not committed, so it comes again;
//   - its transaction is committed, and the answer is lost, so it comes again;
//   - it comes again, and is done;
//   - its ack is lost, so the broker delivers it again;
//   - a relay that has died before it knew of the confirm has published it twice, so a copy comes.
//
// The database is one that [New] has made, and the handler is expected to ack the message in the
// end. Nothing else may write meanwhile. Payload and options are those of
// consumertest.Queue.Deliver; see [As] for a message that a relay has published. Idempotent returns
// the last Run.
//
// Only the tables are compared. What a handler does elsewhere, such as a call of an API, is done
// again each time that its transaction is not known to be committed. Idempotent runs the handler of
// outbox.Once twice, so that a test can count such calls.
func Idempotent(t testing.TB, db *sql.DB, q *consumertest.Queue, payload any, opts ...consumertest.Option) *consumertest.Run {
	t.Helper()
	p := &proof{t: t, db: db, faults: faultsOf(t, db), q: q, payload: payload, opts: opts}
	p.last = p.look()
	for _, step := range []func(*proof) (complaint string){
		(*proof).failed, (*proof).unknown, (*proof).again, (*proof).redelivered, (*proof).copied,
	} {
		complaint := step(p)
		if complaint != "" {
			t.Errorf("outboxtest: %s%s", complaint, p.described())
			break
		}
	}
	p.faults.set(none)
	return p.run
}

// proof is one call of Idempotent. Only its goroutine uses it.
type proof struct {
	t       testing.TB
	db      *sql.DB
	faults  *faulty
	q       *consumertest.Queue
	payload any
	opts    []consumertest.Option

	run  *consumertest.Run
	last tables // what the tables have to be, or were before the message had its effect
	diff string // what has changed though it should not
}

func (p *proof) failed() string {
	p.faults.set(rolledBack)
	p.run = p.q.Deliver(p.payload, p.opts...)
	switch {
	case !p.run.Ran():
		return "the handler was not run at the first delivery"
	case p.faults.take() != none:
		return "the handler has committed no transaction of this database at the first delivery"
	case p.done():
		return "the message was acked, and the commit of its transaction had failed: the handler must return consumer.Retry then"
	case p.changed():
		return "the commit of the transaction has failed, and the tables have changed: the handler writes outside of its transaction"
	}
	return ""
}

func (p *proof) unknown() string {
	p.faults.set(committed)
	p.deliver()
	switch {
	case p.faults.take() != none:
		return "the message came again after a failed commit, and the handler has committed nothing"
	case !p.changed():
		return "the handler has no effect on any table, so there is nothing to prove"
	}
	p.last, p.diff = p.look(), ""
	return ""
}

func (p *proof) again() string {
	p.deliver()
	return p.unchanged("the answer to its commit was lost, and it came again")
}

func (p *proof) redelivered() string {
	p.run = p.q.Redeliver(p.run)
	return p.unchanged("its ack was lost, and the broker has delivered it again")
}

func (p *proof) copied() string {
	p.copy()
	return p.unchanged("it was published twice, and its copy has come")
}

// unchanged is what is wrong with a delivery that should do nothing.
func (p *proof) unchanged(what string) string {
	switch {
	case p.changed():
		return "an effect has happened twice: " + what
	case !p.done():
		return "a message that is done was not acked: " + what
	}
	return ""
}

// deliver has the message come back, as the settlement of its last delivery says. One that was
// parked comes as a redriven one does, and so does one that was acked.
func (p *proof) deliver() {
	if s := p.run.Settlement; s.Copy == nil || s.Action == monitoring.Parked {
		p.copy()
		return
	}
	p.run = p.q.Next(p.run)
}

// copy delivers another message with the same id.
func (p *proof) copy() {
	id := p.run.Delivery.MessageId
	p.run = p.q.Deliver(p.payload, append(p.opts[:len(p.opts):len(p.opts)],
		consumertest.Properties(func(d *amqp.Delivery) { d.MessageId = id }))...)
}

func (p *proof) done() bool { return p.run.Settlement.Action == monitoring.Acked }

func (p *proof) look() tables {
	now, err := look(contextOf(p.t), p.db)
	if err != nil {
		p.t.Fatalf("outboxtest: read the tables: %v", err)
	}
	return now
}

func (p *proof) changed() bool {
	p.diff = changes(p.last, p.look())
	return p.diff != ""
}

// described is the last delivery, and what has changed.
func (p *proof) described() string { return p.diff + "\n" + p.run.String() }
