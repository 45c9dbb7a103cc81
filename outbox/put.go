package outbox

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/foreign"
	"github.com/bunnicula-go/bunnicula/internal/sending"
	"github.com/bunnicula-go/bunnicula/outbox/internal/tx"
	"github.com/bunnicula-go/bunnicula/publisher"
)

// Tx is a transaction of database/sql, and what embeds one. A Box runs statements in it, and never
// calls Commit or Rollback: they are here because a *sql.DB and a *sql.Conn, which have no
// transaction, do not have them.
type Tx interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
	Commit() error
	Rollback() error
}

var _ Tx = (*sql.Tx)(nil)

// Put writes a message into the outbox, inside your transaction: it is published if that commits,
// and not if it does not. It takes the arguments of a Publish, and the options of this package:
//
//	tx, err := db.BeginTx(ctx, nil)
//	_, err = tx.ExecContext(ctx, `INSERT INTO orders ...`)
//	err = box.Put(ctx, tx, "emails", Email{To: o.Email},
//		outbox.ID("welcome-"+o.ID), outbox.Key(o.Customer))
//	err = tx.Commit()
//	box.Kick()
//
// The payload is encoded at once, by the Config's Codec; a []byte is stored as it is.
// Config.Capture adds its headers. publisher.Delay and publisher.At say when the message is
// published at the earliest. They work for every exchange, need no retry queues, and can be taken
// back with Cancel. The longest is topology.MaxDelay. A delay is counted by the clock of the
// database, so clocks that differ do no harm.
//
// On PostgreSQL the user of the database needs the rights to SELECT and INSERT on bunnicula_outbox
// and to SELECT on bunnicula_schema, and for After also to UPDATE. docs/SECURITY.md has the rights
// for all else.
//
// The message gets its timestamp when it is published, unless publisher.Timestamp sets one.
//
// What can be wrong with the message is found before a statement runs, so that the transaction
// stays usable: a payload that cannot be encoded, a body above Config.MaxBody
// (publisher.ErrTooLarge), an empty routing key without an exchange, an id, key or name that a
// database does not take.
//
// The transaction stays usable as well after ErrDuplicate and ErrUnknown, and if the database is of
// another dialect, its user lacks one of these rights, or the error is ErrNoTables, ErrOlderSchema
// or ErrNewerSchema: the first Put of a Box, and the first with After, look at the tables and the
// rights, inside the transaction, by statements that do not fail. After any other error of the
// database roll back: PostgreSQL lets you do nothing else, and SQLite may have ended the
// transaction by itself, as when the disk is full, so that what you write next is committed at
// once.
func (b *Box) Put(ctx context.Context, in Tx, routingKey string, payload any, opts ...publisher.Option) error {
	if isNil(in) {
		s := sending.Stored{Envelope: sending.Envelope{Exchange: b.cfg.Exchange, RoutingKey: routingKey}}
		return s.Failed(errNoTx)
	}
	return b.PutInside(ctx, tx.Of(in), routingKey, payload, opts...)
}

var errNoTx = errors.New("the transaction is nil")

func isNil(in any) bool {
	v := reflect.ValueOf(in)
	return in == nil || v.Kind() == reflect.Pointer && v.IsNil()
}

// PutInside is Put for transactions of other libraries: see package outbox/pgx.
func (b *Box) PutInside(ctx context.Context, in tx.Tx, routingKey string, payload any, opts ...publisher.Option) error {
	s, err := b.build(ctx, routingKey, payload, opts)
	if err != nil {
		return err
	}
	props, err := writeProperties(&s.Envelope)
	does := putting
	if s.After != "" {
		does = following
	}
	if err == nil {
		err = b.known(ctx, in, does)
	}
	state := Waiting
	if err == nil && s.After != "" {
		state, err = b.after(ctx, in, s.After)
	}
	if err == nil {
		err = b.insert(ctx, in, &s, props, state)
	}
	if err != nil {
		return s.Failed(err)
	}
	return nil
}

// build makes the message of a Put. The error is complete.
func (b *Box) build(ctx context.Context, routingKey string, payload any, opts []publisher.Option) (sending.Stored, error) {
	captured, err := b.capture(ctx)
	if err != nil {
		s := sending.Stored{Envelope: sending.Envelope{Exchange: b.cfg.Exchange, RoutingKey: routingKey}}
		return s, s.Failed(err)
	}
	if len(captured) > 0 {
		opts = append([]publisher.Option{publisher.Headers(captured)}, opts...)
	}
	return sending.BuildStored(b.rules(), routingKey, payload, opts)
}

func (b *Box) rules() sending.Rules {
	encode := func(payload any) (sending.Encoded, error) {
		body, err := b.cfg.Codec.Encode(payload)
		return sending.Encoded(body), err
	}
	return sending.Rules{Exchange: b.cfg.Exchange, Encode: encode, MaxBody: b.cfg.MaxBody}
}

func (b *Box) capture(ctx context.Context) (headers map[string]any, err error) {
	if b.cfg.Capture == nil {
		return nil, nil
	}
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("Config.Capture panicked: %s", foreign.Panic(p))
		}
	}()
	return b.cfg.Capture(ctx), nil
}

// after returns the state of a row that needs the one with this id. It locks that one until the
// transaction ends, so that whoever sets it to Done comes before, or finds the new row.
func (b *Box) after(ctx context.Context, in tx.Tx, id string) (State, error) {
	var state State
	err := in.QueryRow(ctx, b.dialect.text(statementsOf[b.dialect].needed), []any{id}, &state)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return 0, b.notThere(ctx, in, id)
	case err != nil:
		return 0, fmt.Errorf("look for %q of outbox.After: %w", foreign.Cut(id, 60), explain(err))
	case state == Done:
		return Waiting, nil
	}
	return Held, nil
}

// notThere says why a message cannot be after another one.
func (b *Box) notThere(ctx context.Context, in tx.Tx, id string) error {
	var state State
	switch err := in.QueryRow(ctx, b.dialect.text(find), []any{id}, &state); {
	case errors.Is(err, sql.ErrNoRows):
		return fmt.Errorf("%w: outbox.After(%q): put that one first, with outbox.Job: only rows of a job stay until they are done", ErrUnknown, foreign.Cut(id, 60))
	case err != nil:
		return explain(err)
	}
	return fmt.Errorf("%w that could be done: outbox.After(%q): that one has no job; put it with outbox.Job: only rows of a job stay until they are done", ErrUnknown, foreign.Cut(id, 60))
}

func (b *Box) insert(ctx context.Context, in tx.Tx, s *sending.Stored, properties []byte, state State) error {
	body := s.Body
	if body == nil {
		body = []byte{} // nil would be NULL
	}
	insert := statementsOf[b.dialect].plain
	args := append(make([]any, 0, 10), s.MessageId, orNull(s.Key), s.Exchange, s.RoutingKey, properties, body)
	if s.Delay > 0 || s.Job != "" || s.After != "" {
		insert = statementsOf[b.dialect].any
		args = append(args, microseconds(s.Delay), int64(state), orNull(s.Job), orNull(s.After))
	}
	statement := insert.always
	if !s.NewID {
		statement = insert.unlessThere
	}
	n, err := in.Exec(ctx, b.dialect.text(statement), args...)
	if err != nil {
		return explain(err)
	}
	if n == 0 {
		return ErrDuplicate
	}
	b.puts.Add(1)
	return nil
}

// microseconds are rounded up, so that nothing is early.
func microseconds(d time.Duration) int64 {
	return int64((d + time.Microsecond - 1) / time.Microsecond)
}

func orNull(text string) any {
	if text == "" {
		return nil
	}
	return text
}

// Kick has a relay of this Box look for messages now rather than at its next poll. Call it after
// the commit. It does not block, and does nothing in a program without a relay.
func (b *Box) Kick() {
	select {
	case b.wake <- struct{}{}:
	default: // a relay is about to look
	}
}
