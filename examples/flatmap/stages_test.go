package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer/consumertest"
	"github.com/bunnicula-go/bunnicula/examples/flatmap/bank"
	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/pipeline"
	"github.com/bunnicula-go/bunnicula/publisher/publishertest"
)

// staged is the second stage, whose bank answers as a test wants, and its outputs.
type staged struct {
	*consumertest.Queue
	Options

	pub publishertest.Recorder
}

func newStaged(t *testing.T, answers http.Handler) *staged {
	t.Helper()
	server := httptest.NewServer(answers)
	t.Cleanup(server.Close)
	s := &staged{Options: Options{Prefix: "p", Page: 10, process: process{Bank: server.URL}}}
	conn, err := connection.New(connection.Config{URL: "amqp://localhost"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	p, err := pipeline.New(conn, &s.pub, pipeline.Config{Name: s.Prefix})
	if err != nil {
		t.Fatal(err)
	}
	c := NewClient(s.Options)
	t.Cleanup(c.Close)
	s.Queue = consumertest.New(t, Transactions(s.Options, p, c, func(string, string) {}))
	return s
}

func TestAStatementGoesOnBehindItsPageInAContinuation(t *testing.T) {
	s := newStaged(t, bank.New(bank.Config{Branches: 1, Accounts: 1, Rows: 25}))
	next, lines := []Statement{{Account: "000001", From: 1}}, []int(nil)
	for pages := 1; len(next) > 0; pages++ {
		s.pub.Reset()
		s.Deliver(next[0]).AssertAcked()
		next = nil
		for _, m := range s.pub.Sent(s.RowsQueue()) {
			lines = append(lines, m.Payload.(Row).Line) //nolint:forcetypeassert // it panics, and so tells
		}
		for _, m := range s.pub.Sent(s.TransactionsQueue()) {
			next = append(next, m.Payload.(Statement)) //nolint:forcetypeassert // it panics, and so tells
		}
		if len(next) > 1 || len(next) == 0 && pages != 3 {
			t.Fatalf("page %d: the continuations are %v", pages, next)
		}
	}
	want := make([]int, 25)
	for i := range want {
		want[i] = i + 1
	}
	if !slices.Equal(lines, want) {
		t.Errorf("%v", lines)
	}
}

func TestWhatTheBankDoesDecidesWhatBecomesOfTheMessage(t *testing.T) {
	gone := make(chan struct{})
	answers := map[string]http.HandlerFunc{
		"busy": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "7")
			w.WriteHeader(http.StatusServiceUnavailable)
		},
		"cut": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "line,date,cents,text\n1,2026-01-01,5,one\n2,2026-01-01,5,tw")
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		},
		"silent":  func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done(); close(gone) },
		"unknown": http.NotFound,
	}
	s := newStaged(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answers[r.URL.Path[len("/accounts/"):len(r.URL.Path)-len("/transactions.csv")]](w, r)
	}))
	of := func(account string) *consumertest.Run { return s.Deliver(Statement{Account: account, From: 1}) }
	of("busy").AssertSnoozed(7 * time.Second)
	of("cut").AssertRetried(250 * time.Millisecond)
	if n := len(s.pub.Sent(s.RowsQueue())); n != 1 {
		t.Errorf("%d rows were emitted of an answer that was cut in the second one", n)
	}
	of("silent").AssertRetriedFor(monitoring.ReasonTimeout, 250*time.Millisecond)
	<-gone
	of("unknown").AssertParked(monitoring.ReasonError)
	if n := len(s.pub.Messages()); n != 1 {
		t.Errorf("%d messages were published", n)
	}
}
