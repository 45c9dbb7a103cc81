package console

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"iter"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/console/internal/operation"
	"github.com/bunnicula-go/bunnicula/console/internal/snapshot"
	"github.com/bunnicula-go/bunnicula/errorqueue"
)

// parked is an error queue with these messages.
type parked []errorqueue.Message

func (p parked) List(context.Context, errorqueue.ListOptions) iter.Seq2[errorqueue.Message, error] {
	return func(yield func(errorqueue.Message, error) bool) {
		for i, m := range p {
			digest := sha256.Sum256([]byte(m.ID + string(m.Body)))
			m.Position, m.Mark = i+1, hex.EncodeToString(digest[:16])
			if !yield(m, nil) {
				return
			}
		}
	}
}

func (p parked) Status(context.Context) (errorqueue.Status, error) {
	return errorqueue.Status{Messages: len(p)}, nil
}

// redriving is how many messages an operation of parked moves before it waits for the end of its
// context.
const redriving = 2

func (p parked) Redrive(ctx context.Context, o errorqueue.RedriveOptions) (errorqueue.RedriveReport, error) {
	report := errorqueue.RedriveReport{ID: o.ID, Matched: min(len(p), o.Limit)}
	o.Progress(errorqueue.Progress{Phase: errorqueue.PhaseMoving, Of: len(p), Moved: redriving})
	if len(o.Batches) > 0 {
		<-ctx.Done()
		report.Moved = redriving
		return report, ctx.Err()
	}
	report.Moved = report.Matched
	return report, nil
}

func (p parked) Discard(_ context.Context, o errorqueue.DiscardOptions) (errorqueue.DiscardReport, error) {
	return errorqueue.DiscardReport{Matched: min(len(p), o.Limit), Discarded: min(len(p), o.Limit), Archive: o.Archive}, nil
}

func (p parked) Export(_ context.Context, w io.Writer, _ errorqueue.ExportOptions) (int, error) {
	_, err := io.WriteString(w, "messages\n")
	return len(p), err
}

func (p parked) Import(context.Context, io.Reader, errorqueue.ImportOptions) (errorqueue.ImportReport, error) {
	return errorqueue.ImportReport{Messages: len(p)}, nil
}

func (p parked) Close(context.Context) {}

// away is a connection to a broker that is not there, with a password that no page may show.
func away(t testing.TB) *connection.Connection {
	t.Helper()
	conn, err := connection.New(connection.Config{URL: "amqp://someone:pass-word-1@127.0.0.1:1/"}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Stop(context.Background()) })
	return conn
}

// made returns a Console whose error queues all have these messages. It runs in a bubble.
func made(t *testing.T, cfg Config, messages ...errorqueue.Message) *Console {
	t.Helper()
	cfg.Log = slog.New(slog.DiscardHandler)
	if cfg.Connection == nil {
		cfg.Connection = away(t)
	}
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	c.Close(context.Background())
	open := func(name string) (parked, error) {
		if name == "none-error" {
			return nil, errorqueue.ErrNoQueue
		}
		return parked(messages), nil
	}
	err = c.begin(
		func(_ context.Context, name string) (snapshot.Queue, error) { return open(name) },
		func(_ context.Context, name string) (operation.Queue, error) { return open(name) },
	)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(context.Background()) })
	return c
}

// get asks for a path from this machine, with the header lines.
func get(c http.Handler, path string, header ...string) *http.Response {
	return ask(c, http.MethodGet, path, header...)
}

func ask(c http.Handler, method, path string, header ...string) *http.Response {
	r := httptest.NewRequest(method, "http://localhost:7337"+path, nil)
	r.RemoteAddr = "127.0.0.1:50000"
	for i := 0; i+1 < len(header); i += 2 {
		if header[i] == "Host" {
			r.Host = header[i+1]
			continue
		}
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	c.ServeHTTP(w, r)
	return w.Result()
}

// text reads an answer.
func text(t *testing.T, answer *http.Response) string {
	t.Helper()
	var out strings.Builder
	if err := answer.Write(&out); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// read asks for a page of a queue whose reading is over.
func read(t *testing.T, c http.Handler, path string) string {
	t.Helper()
	get(c, path)
	synctest.Wait()
	answer := get(c, path)
	if answer.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s\n%s", path, answer.Status, text(t, answer))
	}
	return text(t, answer)
}
