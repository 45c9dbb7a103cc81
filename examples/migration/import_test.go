package main

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/consumer/consumertest"
	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/outbox/outboxtest"
)

func TestTheFixReadsBothWaysInWhichDatesWereWritten(t *testing.T) {
	for _, test := range []struct {
		text, first, fixed string
	}{
		{"1971-03-05", "1971-03-05", "1971-03-05"},
		{"05.03.1971", "", "1971-03-05"},
		{"00.00.0000", "", ""},
		{"30.02.1971", "", ""},
		{"", "", ""},
	} {
		first, err1 := birthday(test.text, false)
		fixed, err2 := birthday(test.text, true)
		if first != test.first || fixed != test.fixed || (err1 == nil) == (first == "") || (err2 == nil) == (fixed == "") {
			t.Errorf("%q is %q, fixed %q: %v, %v", test.text, first, fixed, err1, err2)
		}
	}
}

func newStore(t *testing.T) *Store {
	t.Helper()
	db, box := outboxtest.New(t)
	s := &Store{db, box}
	if err := s.migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

// Whoever makes the file has the one lock meanwhile, and SQLite does not wait for it.
func TestADatabaseThatAnotherProcessJustMakesIsWaitedFor(t *testing.T) {
	o := Options{Store: filepath.Join(t.TempDir(), "new.db")}
	other, err := sql.Open("sqlite", "file:"+o.Store+"?_pragma=busy_timeout(10000)") // its COMMIT waits for who just reads
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Close() }()
	other.SetMaxOpenConns(1)
	if _, err := other.ExecContext(t.Context(), `CREATE TABLE theirs (id TEXT); BEGIN IMMEDIATE`); err != nil {
		t.Fatal(err)
	}
	s, err := openStore(o)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.DB.Close() }()
	committed := make(chan error, 1)
	time.AfterFunc(100*time.Millisecond, func() {
		_, err := other.ExecContext(t.Context(), `COMMIT`)
		committed <- err
	})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := errors.Join(s.migrate(ctx), <-committed); err != nil {
		t.Error(err)
	}
}

func TestACustomerIsWrittenOnceWhateverHappensToItsMessage(t *testing.T) {
	s := newStore(t)
	c := Customer{1, "Customer 1", "customer-1@example.com", "1971-03-05"}
	q := consumertest.New(t, Import(Options{Queue: "q"}, s))
	outboxtest.Idempotent(t, s.DB, q, c, consumertest.MessageID(c.MessageID()))
	var r Row
	row := s.DB.QueryRowContext(t.Context(), `SELECT id, name, email, birthday FROM customers`)
	if err := row.Scan(&r.ID, &r.Name, &r.Email, &r.Birthday); err != nil || compare(c, []Row{r}) != "" {
		t.Errorf("it is %v: %v", r, err)
	}
}

func TestWhatCannotBeImportedHasThreeTriesAndIsParked(t *testing.T) {
	s := newStore(t)
	c := Customer{1, "Customer 1", "customer-1@example.com", "05.03.1971"}
	q := consumertest.New(t, Import(Options{Queue: "q"}, s))
	for attempt := 1; attempt <= 2; attempt++ {
		q.Deliver(c, consumertest.MessageID("customer-1"), consumertest.Attempt(attempt)).AssertRetried(retries[attempt-1])
	}
	q.Deliver(c, consumertest.MessageID("customer-1"), consumertest.Attempt(3)).AssertParked(monitoring.ReasonRetriesExhausted)
	fixed := consumertest.New(t, Import(Options{Queue: "q", Fixed: true}, s))
	fixed.Deliver(c, consumertest.MessageID("customer-1")).AssertAcked()
}
