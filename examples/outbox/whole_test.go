package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/fx"

	"github.com/bunnicula-go/bunnicula/brokertest"
	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/outbox"
)

// The whole service, without sockets. Its process is killed in the middle of the work, and the next
// one goes on.
func TestTheServiceRunsWholeInMemoryInBelowASecond(t *testing.T) {
	amqptest.BelowASecond(t, func(t *testing.T) {
		brokertest.Run(t, func(t *testing.T, b *brokertest.Broker) { whole(t, b, "outbox") })
	})
}

func TestTheServiceRunsWholeOnARealBroker(t *testing.T) {
	t.Parallel()
	prefix := amqptest.Queue(t, "outbox")
	brokertest.RunReal(t, amqptest.URL(t), func(t *testing.T, b *brokertest.Broker) { whole(t, b, prefix) })
}

func whole(t *testing.T, b *brokertest.Broker, prefix string) {
	o, err := parse([]string{
		"-n", "40", "-failure-rate", "0.2", "-queue-prefix", prefix, "-dsn", filepath.Join(t.TempDir(), "shop.db"), "-parts", "relay,worker",
	}, t.Output())
	if err != nil {
		t.Fatal(err)
	}
	all, tally := orders(o, "run"), NewTally()

	doomed := b.Process("outbox")
	first := start(t, o, doomed.Option())
	for _, order := range all[:20] {
		first.place(t, tally, order)
	}
	b.Until(time.Minute, "some invoices", func() bool { return number(t, first.db, `SELECT count(*) FROM example_invoices`) >= 5 })
	doomed.Kill()
	first.stop(t)

	second := start(t, o, b.Option())
	for _, order := range all {
		second.place(t, tally, order) // the first ones again, under the same ids
	}
	b.Until(5*time.Minute, "all mails", func() bool { return number(t, second.db, `SELECT count(*) FROM example_mails`) >= 36 })
	b.Settle(5 * time.Minute)

	books, err := readBooks(t.Context(), second.db, "run")
	if err == nil {
		err = books.readJobs(t.Context(), second.box, all)
	}
	if err != nil {
		t.Fatal(err)
	}
	account := audit(Facts{Orders: all, Counts: tally.Counts(), Books: books})
	if account.String() != "36 accepted = 36 invoices = 36 mails: every order is accounted for" || tally.Counts().Known != 18 {
		t.Errorf("%s\n%d orders were known", account, tally.Counts().Known)
	}
	b.Want(o.InvoiceQueue(), brokertest.Status{})
	b.Want(o.MailQueue(), brokertest.Status{})
	second.asked(t, all[0].ID, http.StatusOK, `{"complete":true,"done":2}`)
	second.asked(t, all[9].ID, http.StatusNotFound, "there is no such order")
}

// service is one process of it.
type service struct {
	app  *fx.App
	door *Door
	db   *sql.DB
	box  *outbox.Box

	stopped bool
}

func start(t *testing.T, o Options, option fx.Option) *service {
	t.Helper()
	s := &service{}
	tell := Teller(func(string, string) {})
	s.app = fx.New(app(o, connection.Config{}, tell, slog.New(slog.DiscardHandler)), option, fx.Populate(&s.door, &s.db, &s.box))
	if err := s.app.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.stop(t) })
	return s
}

// stop may be called twice.
func (s *service) stop(t *testing.T) {
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
}

func (s *service) place(t *testing.T, tally *Tally, o Order) {
	t.Helper()
	body, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	switch status, text := s.request(t, http.MethodPost, "/orders", string(body)); status {
	case http.StatusCreated, http.StatusOK:
		tally.Answered(o.ID, Accepted, status == http.StatusOK)
	case http.StatusUnprocessableEntity:
		tally.Answered(o.ID, Rejected, false)
	default:
		t.Errorf("order %s: %d: %s", o.ID, status, text)
	}
}

func (s *service) asked(t *testing.T, id string, want int, says string) {
	t.Helper()
	if status, text := s.request(t, http.MethodGet, "/orders/"+id, ""); status != want || strings.TrimSpace(text) != says {
		t.Errorf("order %s: %d: %s", id, status, text)
	}
}

func (s *service) request(t *testing.T, method, path, body string) (status int, text string) {
	t.Helper()
	answer := httptest.NewRecorder()
	s.door.ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body)))
	return answer.Code, answer.Body.String()
}

func TestWhatIsNoOrderIsRefused(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *brokertest.Broker) {
		o, err := parse([]string{"-dsn", filepath.Join(t.TempDir(), "shop.db"), "-parts", "relay,worker"}, t.Output())
		if err != nil {
			t.Fatal(err)
		}
		s := start(t, o, b.Option())
		for _, body := range []string{"", "{", `{"id":"1"}`, `{"id":"1","customer":"a","email":"e","cents":-1}`, `{"id":"1","customer":"a","email":"e","cents":1,"x":1}`} {
			if status, text := s.request(t, http.MethodPost, "/orders", body); status != http.StatusBadRequest {
				t.Errorf("%q: %d: %s", body, status, text)
			}
		}
	})
}
