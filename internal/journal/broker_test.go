package journal_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/internal/journal"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/internal/transport"
)

// connect makes a Connection to a real broker.
func connect(t *testing.T, url string) transport.Connection {
	t.Helper()
	conn, err := connection.New(connection.Config{URL: url, Name: "journal", MinBackoff: 20 * time.Millisecond, MaxBackoff: 200 * time.Millisecond}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := conn.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	return conn.Transport()
}

// newJournal makes a Journal that the test stops.
func newJournal(t *testing.T, conn transport.Connection, cfg journal.Config) *journal.Journal {
	t.Helper()
	cfg.Logger = slog.New(slog.DiscardHandler)
	j, err := journal.New(conn, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = j.Stop(ctx)
	})
	return j
}

func within(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

func drafts(prefix string, from, n int) []journal.Draft {
	all := make([]journal.Draft, n)
	for i := range all {
		all[i] = journal.Draft{ID: fmt.Sprintf("%s%d", prefix, from+i), Body: []byte(`{}`)}
	}
	return all
}

// must stops at an error.
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestWhatIsAppendedIsFoldedAndFollowed(t *testing.T) {
	t.Parallel()
	stream := amqptest.Queue(t, "journal")
	exchange := stream + "-exchange"
	t.Cleanup(func() { _ = amqptest.Channel(t).ExchangeDelete(exchange, false, false) })
	conn := connect(t, amqptest.URL(t))
	j := newJournal(t, conn, journal.Config{Stream: stream, Exchange: exchange})
	ctx := within(t, 30*time.Second)
	if _, err := j.Fold(ctx, func(journal.Record) error { return nil }); !errors.Is(err, journal.ErrGone) {
		t.Fatalf("no stream: %v", err)
	}
	must(t, j.Declare(ctx))
	must(t, j.Declare(ctx))
	must(t, j.Append(ctx, journal.Draft{
		ID: "a", Type: "order", UserID: "bunnicula", ReplyTo: "back", Headers: map[string]any{"n": int64(1)}, Body: []byte(`{"a":1}`),
	}, journal.Draft{ID: "b", Plain: true, Body: []byte(`{}`)}))
	var got []journal.Record
	next, err := j.Fold(ctx, func(r journal.Record) error { got = append(got, r); return nil })
	must(t, err)
	if len(got) != 2 || next != 3 {
		t.Fatalf("next %d, %+v", next, got)
	}
	a, b := got[0], got[1]
	if a.Offset != 0 || a.ID != "a" || a.Exchange != exchange || a.Type != "order" || a.UserID != "bunnicula" || a.ReplyTo != "back" || a.AppID != "journal" ||
		len(a.Headers) != 1 || a.Headers["n"] != int64(1) || string(a.Body) != `{"a":1}` || time.Since(a.At) > time.Minute {
		t.Errorf("%+v", a)
	}
	if b.ID != "b" || b.Exchange != "" || b.Offset != 1 {
		t.Errorf("%+v", b)
	}
	must(t, j.Append(ctx, drafts("c", 0, 1)...))
	enough := errors.New("enough")
	err = j.Follow(ctx, next, func(r journal.Record) error {
		if r.ID != "c0" || r.Offset != 3 {
			t.Errorf("%+v", r)
		}
		return enough
	})
	if !errors.Is(err, enough) {
		t.Error(err)
	}
}

func TestFiftyThousandRecordsAreFolded(t *testing.T) {
	amqptest.Long(t)
	const n = 50_000
	stream := amqptest.Queue(t, "journal")
	j := newJournal(t, connect(t, amqptest.URL(t)), journal.Config{Stream: stream})
	ctx := within(t, 2*time.Minute)
	must(t, j.Declare(ctx))
	began := time.Now()
	must(t, j.Append(ctx, drafts("r", 0, n)...))
	t.Logf("%d records appended in %s", n, time.Since(began))
	began = time.Now()
	at := 0
	_, err := j.Fold(ctx, func(r journal.Record) error {
		if want := fmt.Sprintf("r%d", at); r.ID != want {
			return fmt.Errorf("record %d is %q", at, r.ID)
		}
		at++
		return nil
	})
	must(t, err)
	if at != n {
		t.Errorf("%d of %d", at, n)
	}
	t.Logf("%d records folded in %s", n, time.Since(began))
}
