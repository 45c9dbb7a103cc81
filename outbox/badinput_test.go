package outbox_test

import (
	"context"
	"database/sql"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/outbox"
	"github.com/bunnicula-go/bunnicula/publisher"
	"github.com/bunnicula-go/bunnicula/publisher/publishertest"
)

type panics struct{ publisher.Codec }

func (panics) Encode(any) (publisher.Body, error) { panic("no such schema") }

type panicsItself struct{}

func (panicsItself) MarshalJSON() ([]byte, error) { panic("no such field") }

// refused is a Put that must fail.
type refused struct {
	queue   string
	payload any
	opts    []publisher.Option
	is      error // in the chain, if it is not nil
	want    string
}

func with(opts ...publisher.Option) []publisher.Option { return opts }

var badInput = map[string]refused{
	"no queue":                {opts: with(publisher.Exchange("")), want: `outbox: put message "x" for queue "": the routing key is empty, want the name of a queue`},
	"long queue":              {queue: strings.Repeat("q", 256), want: "is 256 bytes long, want at most 255"},
	"queue that is not UTF-8": {queue: "q\xff", want: `routing key "q�" is not UTF-8, and a database does not take it`},
	"queue with NUL":          {queue: "q\x00", want: `routing key "q\x00" has a NUL byte, and a database does not take it`},
	"exchange with NUL":       {queue: "q", opts: with(publisher.Exchange("e\x00")), want: `exchange "e\x00" has a NUL byte`},
	"id with NUL":             {queue: "q", opts: with(outbox.ID("i\x00")), want: `message id "i\x00" has a NUL byte`},
	"id that is not UTF-8":    {queue: "q", opts: with(outbox.ID("\xff")), want: "message id"},
	"long id":                 {queue: "q", opts: with(outbox.ID(strings.Repeat("i", 256))), want: "message id"},
	"empty id":                {queue: "q", opts: with(outbox.ID("")), want: "the id of outbox.ID is empty"},
	"key with NUL":            {queue: "q", opts: with(outbox.Key("k\x00")), want: `key "k\x00" has a NUL byte`},
	"long key":                {queue: "q", opts: with(outbox.Key(strings.Repeat("k", 256))), want: "is 256 bytes long, want at most 255"},
	"empty key":               {queue: "q", opts: with(outbox.Key("")), want: "the key of outbox.Key is empty"},
	"job with NUL":            {queue: "q", opts: with(outbox.Job("j\x00")), want: `job "j\x00" has a NUL byte`},
	"empty job":               {queue: "q", opts: with(outbox.Job("")), want: "the name of outbox.Job is empty"},
	"after an id with NUL":    {queue: "q", opts: with(outbox.After("a\x00")), want: `id of After "a\x00" has a NUL byte`},
	"after an empty id":       {queue: "q", opts: with(outbox.After("")), want: "the id of outbox.After is empty"},
	"after itself":            {queue: "q", opts: with(outbox.ID("me"), outbox.Job("j"), outbox.After("me")), is: outbox.ErrUnknown, want: `outbox.After("me")`},
	"after an unknown id":     {queue: "q", opts: with(outbox.After("none")), is: outbox.ErrUnknown, want: `outbox: put message "x" for queue "q": the outbox has no such message: outbox.After("none"): put that one first, with outbox.Job`},
	"after one without a job": {queue: "q", opts: with(outbox.After("plain")), is: outbox.ErrUnknown, want: `outbox.After("plain"): that one has no job`},
	"duplicate id":            {queue: "q", opts: with(outbox.ID("plain")), is: outbox.ErrDuplicate, want: `outbox: put message "plain" for queue "q": the outbox has a message with this id already`},
	"large body":              {queue: "q", payload: strings.Repeat("x", 1000), is: publisher.ErrTooLarge, want: "too large: the body is 1002 bytes, MaxBody is 1000"},
	"large headers":           {queue: "q", opts: with(publisher.Header("h", strings.Repeat("x", 128<<10))), is: publisher.ErrTooLarge, want: "headers and properties are"},
	"header without a type":   {queue: "q", opts: with(publisher.Header("h", struct{}{})), want: `header "h": AMQP has no type for struct {}`},
	"payload without JSON":    {queue: "q", payload: math.Inf(1), want: "encode float64: json: unsupported value"},
	"codec that panics":       {queue: "q", opts: with(publisher.With(panics{publisher.JSON})), want: "codec panicked: no such schema"},
	"payload that panics":     {queue: "q", payload: panicsItself{}, want: "codec panicked: no such field"},
	"no codec":                {queue: "q", opts: with(publisher.With(nil)), want: "codec is nil"},
	"negative delay":          {queue: "q", opts: with(publisher.Delay(-1)), want: "the delay is -1ns, want 0 to"},
	"delay of 20 years":       {queue: "q", opts: with(publisher.Delay(20 * 365 * 24 * time.Hour)), want: "want 0 to 87600h0m0s"},
	"at no time":              {queue: "q", opts: with(publisher.At(time.Time{})), want: "the time of At is zero"},
	"in 20 years":             {queue: "q", opts: with(publisher.At(time.Now().AddDate(20, 0, 0))), want: "want at most 87600h0m0s from now"},
	"bad expiration":          {queue: "q", opts: with(publisher.Expiration(-1)), want: "expiration is -1ns"},
}

func TestBadInputIsAnErrorThatSaysWhatAndLeavesTheTransactionUsable(t *testing.T) {
	bothDialects(t, func(t *testing.T, db *sql.DB, dialect outbox.Dialect) {
		box := newBox(t, db, dialect, outbox.Config{MaxBody: 1000})
		yours(t, db)
		inTx(t, db, func(tx *sql.Tx) error { return box.Put(t.Context(), tx, "q", 1, outbox.ID("plain")) })
		for name, c := range badInput {
			t.Run(name, func(t *testing.T) {
				usable(t, db, func(tx *sql.Tx) {
					err := box.Put(t.Context(), tx, c.queue, c.payload, append(with(publisher.MessageID("x")), c.opts...)...)
					if err == nil || c.is != nil && !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.want) {
						t.Errorf("got %v\nwant ... %s ...", err, c.want)
					}
				})
				if n := count(t, db, `SELECT COUNT(*) FROM bunnicula_outbox`); n != 1 {
					t.Errorf("%d rows, want the one that was there", n)
				}
			})
		}
	})
}

// What a user's own function does is no reason to leave a transaction half done.
func TestACaptureThatPanicsOrReturnsNonsenseIsAnError(t *testing.T) {
	bothDialects(t, func(t *testing.T, db *sql.DB, dialect outbox.Dialect) {
		yours(t, db)
		for want, capture := range map[string]func(context.Context) map[string]any{
			`outbox: put a message for queue "q": Config.Capture panicked: no request`:     func(context.Context) map[string]any { panic("no request") },
			`outbox: put a message for queue "q": header "f": AMQP has no type for func()`: func(context.Context) map[string]any { return map[string]any{"f": func() {}} },
		} {
			box := newBox(t, db, dialect, outbox.Config{Capture: capture})
			usable(t, db, func(tx *sql.Tx) {
				if err := box.Put(t.Context(), tx, "q", 1); err == nil || err.Error() != want {
					t.Errorf("got %v, want %s", err, want)
				}
			})
		}
	})
}

// A message that is published at once would have lost its order, or its job.
func TestTheOptionsOfPutAreRefusedByAPublisher(t *testing.T) {
	for name, option := range map[string]publisher.Option{"Key": outbox.Key("k"), "Job": outbox.Job("j"), "After": outbox.After("a")} {
		var pub publishertest.Recorder
		err := pub.Publish(t.Context(), "q", 1, option)
		if want := `publisher: publish to queue "q": outbox.` + name + ` is for an outbox's Put: a message that is published at once has no place in an outbox`; err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	var pub publishertest.Recorder
	if err := pub.Publish(t.Context(), "q", 1, outbox.ID("i")); err != nil || pub.Messages()[0].MessageId != "i" {
		t.Errorf("outbox.ID is for both: %v", err)
	}
}

// yours makes a table of the program's own.
func yours(t *testing.T, db *sql.DB) {
	t.Helper()
	if _, err := db.ExecContext(t.Context(), `CREATE TABLE orders (n INTEGER)`); err != nil {
		t.Fatal(err)
	}
}

// usable checks that a transaction in which do has failed writes and commits what is before and
// after that.
func usable(t *testing.T, db *sql.DB, do func(tx *sql.Tx)) {
	t.Helper()
	before := count(t, db, `SELECT COUNT(*) FROM orders`)
	inTx(t, db, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(t.Context(), `INSERT INTO orders VALUES (1)`)
		do(tx)
		_, then := tx.ExecContext(t.Context(), `INSERT INTO orders VALUES (2)`)
		return errors.Join(err, then)
	})
	if n := count(t, db, `SELECT COUNT(*) FROM orders`); n != before+2 {
		t.Errorf("%d rows of the transaction are there, want 2", n-before)
	}
}

func TestATransactionThatIsNilOrHasEndedIsAnError(t *testing.T) {
	bothDialects(t, func(t *testing.T, db *sql.DB, dialect outbox.Dialect) {
		box := newBox(t, db, dialect)
		ended, err := db.BeginTx(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := ended.Commit(); err != nil {
			t.Fatal(err)
		}
		for _, row := range []struct {
			tx   outbox.Tx
			is   error
			want string
		}{
			{nil, nil, "the transaction is nil"},
			{(*sql.Tx)(nil), nil, "the transaction is nil"},
			{ended, sql.ErrTxDone, "the transaction has ended: sql: transaction has already been committed or rolled back"},
		} {
			put, cancel := box.Put(t.Context(), row.tx, "q", 1, outbox.ID("x")), box.Cancel(t.Context(), row.tx, "x")
			if row.is != nil && !(errors.Is(put, row.is) && errors.Is(cancel, row.is)) {
				t.Errorf("got %v and %v, want both to be %v", put, cancel, row.is)
			}
			if want := `outbox: put message "x" for queue "q": ` + row.want; row.is != nil && put.Error() != want {
				t.Errorf("got %v, want %s", put, want)
			} else if !strings.HasSuffix(put.Error(), row.want) {
				t.Errorf("got %v, want %s", put, row.want)
			}
			if want := `outbox: cancel message "x": ` + row.want; cancel.Error() != want {
				t.Errorf("got %v, want %s", cancel, want)
			}
		}
	})
}

func TestATransactionThatPostgreSQLHasAbortedIsAnErrorInWords(t *testing.T) {
	bothDialects(t, func(t *testing.T, db *sql.DB, dialect outbox.Dialect) {
		if dialect == outbox.SQLite {
			t.Skip("SQLite does not abort a transaction")
		}
		for name, box := range map[string]*outbox.Box{"first Put": mustNew(t, db, dialect), "later Put": newBox(t, db, dialect)} {
			tx, err := db.BeginTx(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := tx.ExecContext(t.Context(), `SELECT 1/0`); err == nil {
				t.Fatal("1/0 is something")
			}
			err = box.Put(t.Context(), tx, "q", 1, outbox.ID("x"))
			if want := `outbox: put message "x" for queue "q": an earlier statement of the transaction failed, so that it can only be rolled back: `; err == nil || !strings.HasPrefix(err.Error(), want) {
				t.Errorf("%s: got %v, want %s", name, err, want)
			}
			if err := tx.Rollback(); err != nil {
				t.Error(err)
			}
		}
	})
}

func mustNew(t *testing.T, db *sql.DB, dialect outbox.Dialect, cfg ...outbox.Config) *outbox.Box {
	t.Helper()
	box, err := outbox.New(db, dialect, cfg...)
	if err != nil {
		t.Fatal(err)
	}
	return box
}
