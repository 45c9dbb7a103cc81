package main

import (
	"context"
	"encoding/json"
	"log/slog"
	"net"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/fx"

	"github.com/bunnicula-go/bunnicula/brokertest"
	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
)

// The whole import, with the API in memory. Its retries wait, its process is killed in the middle
// of the work, and what has used up its retries is redriven. Here they wait for a minute, and the
// broker is in memory too.
func TestTheImportRunsWholeInMemoryInBelowASecond(t *testing.T) {
	amqptest.BelowASecond(t, func(t *testing.T) {
		brokertest.Run(t, func(t *testing.T, b *brokertest.Broker) { whole(t, b, "import", time.Minute) })
	})
}

func TestTheImportRunsWholeOnARealBroker(t *testing.T) {
	t.Parallel()
	prefix := amqptest.Queue(t, "import")
	brokertest.RunReal(t, amqptest.URL(t), func(t *testing.T, b *brokertest.Broker) { whole(t, b, prefix, time.Second) })
}

func whole(t *testing.T, b *brokertest.Broker, prefix string, backoff time.Duration) {
	o, err := parse([]string{
		"-n", "60", "-small", "10", "-backoff", backoff.String(), "-retries", "2", "-failure-rate", "0.4", "-crash-rate", "0.1",
		"-queue-prefix", prefix, "-state", filepath.Join(t.TempDir(), "state.jsonl"),
	}, t.Output())
	if err != nil {
		t.Fatal(err)
	}
	w := &imports{Options: o, broker: b}
	listener := newPipes()
	w.server, w.client = serveOn(o, listener, listener.dial)
	defer w.server.Close()
	defer w.client.HTTP.CloseIdleConnections()

	doomed := b.Process("import")
	first := w.start(t, doomed.Option())
	b.Until(60*backoff, "20 imports", func() bool { return imported(first.ledger) >= 20 })
	if b.Status(o.ConversationQueue()).Unacked == 0 {
		t.Error("nothing is in hand at the crash")
	}
	doomed.Kill()
	first.stop(t)

	second := w.start(t, b.Option())
	settling := time.Now()
	b.Settle(60 * backoff)
	if took := time.Since(settling); took < backoff {
		t.Errorf("no retry has waited: it took %s", took)
	}
	report := w.report(second)
	if !report.Audit.OK() || report.Audit.Total != 70 {
		t.Errorf("%s", report.Audit)
	}
	exhausted := 0
	for _, m := range b.Parked(o.ConversationQueue()) {
		if m.Reason == "retries-exhausted" || m.Reason == "panic" || m.Reason == "timeout" {
			exhausted++
		}
	}
	if r := b.Redrive(o.ConversationQueue(), "reason=retries-exhausted,panic,timeout"); r.Moved != exhausted || exhausted == 0 {
		t.Errorf("redriven: %d of %d", r.Moved, exhausted)
	}
	b.Settle(60 * backoff)
	again := w.report(second)
	if !again.Audit.OK() || again.Audit.Imported <= report.Audit.Imported {
		t.Errorf("the redrive has not mended any: %s", again.Audit)
	}
}

// imports is an import whose API has no sockets.
type imports struct {
	Options
	broker *brokertest.Broker
	server Server
	client Client
}

// started is one process of it.
type started struct {
	app    *fx.App
	ledger *Ledger
	tally  *Tally
	began  time.Time

	stopped bool
}

func (w *imports) start(t *testing.T, option fx.Option) *started {
	t.Helper()
	ledger, err := OpenLedger(w.State, w.Source())
	if err != nil {
		t.Fatal(err)
	}
	s := &started{ledger: ledger, tally: NewTally(w.Options), began: time.Now()}
	s.tally.GoOn(ledger.Books(), nil)
	s.app = app(w.Options, connection.Config{}, w.client, ledger, s.tally, slog.New(slog.DiscardHandler), option)
	if err := s.app.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.stop(t) })
	return s
}

// stop may be called twice.
func (s *started) stop(t *testing.T) {
	t.Helper()
	if s.stopped {
		return
	}
	s.stopped = true
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := s.app.Stop(ctx); err != nil {
		t.Error(err)
	}
	_ = s.ledger.Close()
}

func (w *imports) report(s *started) Report {
	var parked []Parked
	for _, m := range w.broker.Parked(w.ConversationQueue()) {
		var job ImportConversation
		_ = json.Unmarshal(m.Body, &job) // a body that is no job has no account
		parked = append(parked, Parked{ID: m.ID, Account: job.Account, Reason: m.Reason, Error: m.Error, Group: m.Group, Attempts: m.Attempts})
	}
	return newReport(w.Options, s.ledger.Books(), parked, s.tally, w.server.API, s.began)
}

func imported(l *Ledger) (sum int) {
	for _, b := range l.Books() {
		sum += len(b.Imported)
	}
	return sum
}

// pipes is a listener in memory.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
}

func newPipes() *pipes { return &pipes{make(chan net.Conn), make(chan struct{})} }

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case p.conns <- server:
		return client, nil
	case <-p.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	close(p.closed)
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }
