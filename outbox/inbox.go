package outbox

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/applog"
	"github.com/bunnicula-go/bunnicula/internal/foreign"
	"github.com/bunnicula-go/bunnicula/internal/slots"
	"github.com/bunnicula-go/bunnicula/outbox/internal/tx"
)

// setMark tells as well whether the message is a row of a job, so that most messages cost one
// statement. Another copy that has set the mark in a transaction of its own holds it up until that
// ends.
const setMark = `INSERT INTO bunnicula_inbox (consumer, id, at) VALUES ($1, $2, @now) ON CONFLICT (consumer, id) DO NOTHING
	RETURNING EXISTS (SELECT 1 FROM bunnicula_outbox WHERE id = $2 AND job IS NOT NULL)`

// setDone waits for a relay that has not committed yet what it has published, and for a Put that
// has read the state of the row for another one that needs it. On PostgreSQL it needs a stronger
// lock than its own for that: a Put has the weakest one, so as not to wait for relays.
var setDone = map[Dialect]string{
	Postgres: `UPDATE bunnicula_outbox SET state = 3, changed = @now
	WHERE id = (SELECT id FROM bunnicula_outbox WHERE id = $1 AND job IS NOT NULL FOR UPDATE) AND state NOT IN (1, 3)`,
	SQLite: `UPDATE bunnicula_outbox SET state = 3, changed = @now WHERE id = $1 AND job IS NOT NULL AND state NOT IN (1, 3)`,
}

// release is a statement of its own, after setDone: only so it sees the rows of a Put for which
// setDone has waited.
const release = `UPDATE bunnicula_outbox SET state = 0, changed = @now WHERE needs = $1 AND state = 1`

// aheadAtMost is how far a timestamp may be ahead of this clock. Marks are kept for as long on top
// of Keep.
const aheadAtMost = 24 * time.Hour

// longestLogged is how much of a message id the log has.
const longestLogged = 255

// refuse returns why a message is not handled at all.
func (b *Box) refuse(d *consumer.Delivery, anyAge bool) error {
	switch {
	case d.MessageIDGiven || d.MessageID == "":
		return errors.New("outbox.Once: the message has no message id of its publisher, so nobody can tell whether it was handled before: publish it with publisher.MessageID")
	case checkText("message id", d.MessageID) != nil:
		return errors.New("outbox.Once: the message id is not UTF-8, or has a zero byte, so no mark can be kept")
	case anyAge:
		return nil
	}
	published := foreign.Known(d.Timestamp)
	if d.RedriveCount == 0 && !d.Since.IsZero() {
		published = d.Since // later, if the message was published with a delay
	}
	age := time.Since(published)
	switch {
	case published.IsZero() || age < -aheadAtMost:
		if d.RedriveCount > 0 {
			return errors.New("outbox.Once: the message was redriven, and its timestamp does not tell when it was published: if it was handled before, its mark may be gone; outbox.AnyAge handles it all the same")
		}
	case age > b.cfg.Keep:
		return fmt.Errorf("outbox.Once: the message was published at %s, longer ago than Config.Keep (%s): if it was handled before, its mark may be gone; outbox.AnyAge handles it all the same",
			foreign.Stamp(published), b.cfg.Keep)
	}
	return nil
}

// handling is a message and its transaction. One goroutine uses it.
type handling struct {
	box  *Box
	d    *consumer.Delivery
	unit tx.Unit

	fresh bool // the mark is this transaction's
	job   bool // the message is a row of a job, if fresh
}

// mark begins a transaction and marks the message in it.
func (b *Box) mark(ctx context.Context, d *consumer.Delivery, begin func(context.Context) (tx.Unit, error)) (*handling, error) {
	h := &handling{box: b, d: d}
	err := whileBusy(ctx, slots.Patience(ctx), func() (err error) {
		if h.unit, err = begin(ctx); err != nil {
			return fmt.Errorf("outbox.Once: begin a transaction: %w", err)
		}
		if err = b.known(ctx, h.unit, looking); err == nil {
			err = h.unit.QueryRow(ctx, b.dialect.text(setMark), []any{d.Consumer, d.MessageID}, &h.job)
		}
		switch h.fresh = err == nil; {
		case err == nil, errors.Is(err, sql.ErrNoRows):
			return nil
		}
		h.rollback(ctx)
		return fmt.Errorf("outbox.Once: mark the message: %w", explain(err))
	})
	return h, err
}

// unhandled returns what becomes of a message that could not be marked.
func unhandled(err error) consumer.Result {
	if isBusy(err) {
		return consumer.SnoozeBecause(time.Second+rand.N(2*time.Second), err)
	}
	return consumer.Retry(err)
}

// repeat returns what becomes of a message whose mark is there. Its row may not be done yet, if the
// mark is of an earlier message with the same id, or a handler has committed itself.
func (h *handling) repeat(ctx context.Context) consumer.Result {
	applog.First(applog.Of(ctx)).DebugContext(ctx, "message is not handled: it was before", "consumer", h.d.Consumer,
		"message_id", foreign.Line(h.d.MessageID, longestLogged))
	h.job = true
	return h.run(ctx, consumer.Ack)
}

// run calls f and ends the transaction as the Result says. It rolls back by a defer, so also after
// a panic or runtime.Goexit.
func (h *handling) run(ctx context.Context, f func() consumer.Result) consumer.Result {
	committed := false
	defer func() {
		if !committed {
			h.rollback(ctx)
		}
	}()
	puts := h.box.puts.Load()
	r := f()
	if !r.Acked() {
		return r
	}
	released, err := h.done(ctx)
	if err == nil {
		err = ctx.Err() // the transaction may know of its context's end a moment later
	}
	if err == nil {
		err = h.unit.Commit(ctx)
	}
	if err != nil {
		return consumer.Retry(uncommitted(ctx, err))
	}
	committed = true
	if released || h.box.puts.Load() != puts {
		h.box.Kick()
	}
	return r
}

// done marks the row of the message as done, if it is one of a job. It returns whether rows were
// released that need it.
func (h *handling) done(ctx context.Context) (released bool, err error) {
	if !h.job {
		return false, nil
	}
	n, err := h.unit.Exec(ctx, h.box.dialect.text(setDone[h.box.dialect]), h.d.MessageID)
	if err != nil || n == 0 {
		return false, err
	}
	n, err = h.unit.Exec(ctx, h.box.dialect.text(release), h.d.MessageID)
	return n > 0, err
}

// rollbackWithin is how long a rollback may take. The handler's context may have ended.
const rollbackWithin = 2 * time.Second

// rollback ends the transaction. An error means that it has ended already, or will with its
// connection.
func (h *handling) rollback(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackWithin)
	defer cancel()
	_ = h.unit.Rollback(ctx)
}

func uncommitted(ctx context.Context, err error) error {
	if errors.Is(err, sql.ErrTxDone) && ctx.Err() == nil {
		return fmt.Errorf("outbox.Once: the handler has ended the transaction, which Once does: return Ack to commit and anything else to roll back: %w", err)
	}
	return fmt.Errorf("outbox.Once: the handler returned Ack, and the commit is not known to have succeeded: %w", err)
}
