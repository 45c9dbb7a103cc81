package outbox_test

import (
	"database/sql"
	"errors"
	"net/url"
	"reflect"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/test/pgtest"
	"github.com/bunnicula-go/bunnicula/outbox"
	"github.com/bunnicula-go/bunnicula/publisher"
)

// Outside a transaction a message would be written whatever becomes of the data.
func TestOnlyATransactionIsATx(t *testing.T) {
	for of, want := range map[reflect.Type]bool{
		reflect.TypeFor[*sql.Tx]():                true,
		reflect.TypeFor[struct{ *sql.Tx }]():      true,
		reflect.TypeFor[*sql.DB]():                false,
		reflect.TypeFor[*sql.Conn]():              false,
		reflect.TypeFor[struct{ *sql.DB }]():      false,
		reflect.TypeFor[struct{ Conn *sql.DB }](): false,
	} {
		if is := of.Implements(reflect.TypeFor[outbox.Tx]()); is != want {
			t.Errorf("%s is a Tx: %v, want %v", of, is, want)
		}
	}
}

type bodiless struct{ publisher.Codec }

func (bodiless) Encode(any) (publisher.Body, error) { return publisher.Body{}, nil }

// everything puts a row of each kind, and cancels one.
func everything(t *testing.T, db *sql.DB, box *outbox.Box) {
	t.Helper()
	inTx(t, db, func(tx *sql.Tx) error {
		return errors.Join(
			box.Put(t.Context(), tx, "q", 1, outbox.ID("one"), outbox.Job("j"), outbox.Key("k")),
			box.Put(t.Context(), tx, "q", 1, outbox.ID("two"), outbox.After("one"), publisher.Delay(time.Hour)),
			box.Put(t.Context(), tx, "q", []byte{}, outbox.ID("empty")),
			box.Put(t.Context(), tx, "q", 1, publisher.With(bodiless{publisher.JSON})),
			box.Put(t.Context(), tx, "q", []byte{0, 0xff}),
			box.Cancel(t.Context(), tx, "two"),
		)
	})
	if n := count(t, db, `SELECT COUNT(*) FROM bunnicula_outbox`); n != 4 {
		t.Errorf("%d rows, want 4", n)
	}
	if n := count(t, db, `SELECT COUNT(*) FROM bunnicula_outbox WHERE LENGTH(body) = 0`); n != 2 {
		t.Errorf("%d rows with an empty body, want 2", n)
	}
}

// Poolers such as PgBouncer need one of the others.
func TestEveryWayInWhichPgxRunsStatementsWillDo(t *testing.T) {
	for _, mode := range []string{"cache_statement", "cache_describe", "describe_exec", "exec", "simple_protocol"} {
		t.Run(mode, func(t *testing.T) {
			dsn, err := url.Parse(pgtest.DSN(t))
			if err != nil {
				t.Fatal("the URL of the database")
			}
			query := dsn.Query()
			query.Set("default_query_exec_mode", mode)
			dsn.RawQuery = query.Encode()
			db := pgtest.Open(t, dsn.String())
			everything(t, db, newBox(t, db, outbox.Postgres))
		})
	}
}

func TestSQLiteInMemoryWithOneConnectionWillDo(t *testing.T) {
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	db.SetMaxOpenConns(1)
	everything(t, db, newBox(t, db, outbox.SQLite))
}
