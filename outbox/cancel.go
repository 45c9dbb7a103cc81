package outbox

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/bunnicula-go/bunnicula/internal/foreign"
	"github.com/bunnicula-go/bunnicula/outbox/internal/tx"
)

// Cancel deletes a message that is not published yet, inside your transaction: one that waits, is
// delayed, is held by After, or has failed. Messages behind it in its key go on.
//
// The error is ErrUnknown if the outbox has no such message, because it was published or never put,
// and ErrNeeded if messages that were put with After its id wait for it. The transaction is usable
// after both.
//
// A message that was sent and whose confirm was lost is waiting again. After Cancel it is not sent
// once more, but the broker may have it from before.
//
// On PostgreSQL a message of a job is cancelled in a transaction that is READ COMMITTED, because
// one with another isolation may not see what needs it: the error says so, and the transaction is
// usable.
//
// On PostgreSQL the user of the database needs the rights to SELECT, UPDATE and DELETE on
// bunnicula_outbox. The first Cancel of a Box asks for them, and if one is missing the transaction
// is usable as well.
//
// On PostgreSQL Cancel waits while a relay publishes the message, 10 s at most, because only then
// is it known whether it was published. On SQLite a message that is being published is ErrUnknown.
func (b *Box) Cancel(ctx context.Context, in Tx, id string) error {
	if isNil(in) {
		return cancelFailed(id, errNoTx)
	}
	return b.CancelInside(ctx, tx.Of(in), id)
}

// CancelInside is Cancel for transactions of other libraries: see package outbox/pgx.
func (b *Box) CancelInside(ctx context.Context, in tx.Tx, id string) error {
	err := checkText("id", id)
	if err == nil {
		err = b.known(ctx, in, cancelling)
	}
	if err == nil {
		err = b.cancel(ctx, in, id)
	}
	if err != nil {
		return cancelFailed(id, err)
	}
	return nil
}

func cancelFailed(id string, err error) error {
	return fmt.Errorf("outbox: cancel message %q: %w", foreign.Cut(id, 60), err)
}

var errBlind = errors.New("the message has a job, and the transaction's isolation hides messages that were put after it meanwhile: cancel it in a transaction of sql.LevelReadCommitted")

// cancel looks first and deletes in another statement. A Put with After may hold a lock on the row:
// the first statement waits for it, and the second one sees what it has put.
func (b *Box) cancel(ctx context.Context, in tx.Tx, id string) error {
	var state State
	var blind bool
	err := in.QueryRow(ctx, b.dialect.text(statementsOf[b.dialect].find), []any{id}, &state, &blind)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return fmt.Errorf("%w: it was published, or never put", ErrUnknown)
	case err != nil:
		return explain(err)
	case state == taken:
		return fmt.Errorf("%w waiting: it is being published", ErrUnknown)
	case state != Waiting && state != Held && state != Failed:
		return fmt.Errorf("%w waiting: it was published, and is %s", ErrUnknown, state)
	case blind:
		return errBlind
	}
	n, err := in.Exec(ctx, b.dialect.text(statementsOf[b.dialect].remove), id)
	if err != nil {
		return explain(err)
	}
	if n == 0 {
		return ErrNeeded
	}
	return nil
}
