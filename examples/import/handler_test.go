package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/examples/import/api"
	"github.com/bunnicula-go/bunnicula/monitoring"
)

// page is the last one, with these ids.
func page(s string) api.Page {
	p := api.Page{Number: 1, Total: 4}
	p.IDs = strings.Fields(s)
	return p
}

func newLedger(t *testing.T) *Ledger {
	t.Helper()
	l, err := OpenLedger(filepath.Join(t.TempDir(), "ledger.jsonl"), Source{Conversations: 4})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func TestWhatTheAPIAnswersDecidesWhatBecomesOfTheJob(t *testing.T) {
	for _, test := range []struct {
		name   string
		answer http.HandlerFunc
		want   consumer.Result
	}{
		{"200", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"id":"c1"}`)) }, consumer.Ack()},
		{"429", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "7")
			w.WriteHeader(http.StatusTooManyRequests)
		}, consumer.Snooze(7 * time.Second)},
		{"429 without a time", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTooManyRequests) }, consumer.Snooze(time.Second)},
		{"404", http.NotFound, consumer.Error(errors.New("GET /conversations/c1: 404 Not Found"))},
		{"401", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) }, consumer.Error(errors.New("GET /conversations/c1: 401 Unauthorized"))},
		{"503", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }, consumer.Retry(errors.New("GET /conversations/c1: 503 Service Unavailable"))},
		{"nothing", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, consumer.Retry(errors.New("GET /conversations/c1: no answer within 100ms"))},
		{"another", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"id":"c2"}`)) }, consumer.Error(errors.New(`asked for c1, got "c2"`))},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := httptest.NewServer(test.answer)
			defer server.Close()
			client := Client{URL: server.URL, HTTP: server.Client(), Timeout: 10 * time.Second}
			if test.name == "nothing" {
				client.Timeout = 100 * time.Millisecond
			}
			importer := NewImporter(client, newLedger(t), NewTally("q"))
			got := importer.Handle(t.Context(), consumer.Message[ConversationJob]{Payload: ConversationJob{"c1"}})
			if !got.Equal(test.want) {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

func TestAConversationThatCrashedAfterItsImportIsNotImportedTwice(t *testing.T) {
	requests := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		requests++
		_, _ = w.Write([]byte(`{"id":"c1"}`))
	}))
	defer server.Close()
	tally := NewTally("import-conversation")
	importer := NewImporter(Client{URL: server.URL, HTTP: server.Client(), Timeout: time.Second}, newLedger(t), tally)
	process := func(crash float64) consumer.Settlement {
		c, err := consumer.New(nil, Conversations(Options{Prefix: "import", CrashRate: crash}, importer), tally, nil)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := json.Marshal(ConversationJob{"c1"})
		return c.Process(t.Context(), amqp.Delivery{MessageId: "c1", Body: body})
	}
	if s := process(1); s.Reason != monitoring.ReasonPanic || !importer.ledger.Imported("c1") {
		t.Errorf("the first time: %s %s, want a panic after the import", s.Action, s.Reason)
	}
	if s := process(0); s.Action != monitoring.Acked || requests != 1 || tally.Counts().Duplicates != 1 {
		t.Errorf("the second time: %s, %d requests, %d duplicates", s.Action, requests, tally.Counts().Duplicates)
	}
}

func TestALedgerThatWasCutInTheMiddleOfALineGoesOn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.jsonl")
	source := Source{Conversations: 4, Seed: 1, Backoff: "1s"}
	l, err := OpenLedger(path, source)
	if err != nil || !l.New {
		t.Fatalf("new is %v: %v", l.New, err)
	}
	if err := l.AddPage(page("a b")); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"a", "b"} {
		if added, err := l.Import(api.Conversation{ID: id}); !added || err != nil {
			t.Fatalf("%s: %v, %v", id, added, err)
		}
	}
	if added, _ := l.Import(api.Conversation{ID: "a"}); added {
		t.Error("a was imported twice")
	}
	_ = l.Close()
	text, _ := os.ReadFile(path)
	if err := os.WriteFile(path, text[:len(text)-5], 0o600); err != nil {
		t.Fatal(err)
	}

	l, err = OpenLedger(path, source)
	if err != nil {
		t.Fatal(err)
	}
	if l.New || !l.HasPage(1) || !l.Imported("a") || l.Imported("b") {
		t.Errorf("it holds %+v", l.Books())
	}
	_, _ = l.Import(api.Conversation{ID: "b"})
	_ = l.Close()
	if l, err = OpenLedger(path, source); err != nil || len(l.Books().Imported) != 2 {
		t.Errorf("it cannot be read again: %v", err)
	}
	_ = l.Close()
	if _, err = OpenLedger(path, Source{Conversations: 9}); err == nil || !strings.Contains(err.Error(), "-n 4 -seed 1 -backoff 1s") {
		t.Errorf("another source: %v", err)
	}
}

func TestWrongFlagsAreNamed(t *testing.T) {
	for _, args := range []string{"-n 0", "-n 9999", "-rate 0", "-failure-rate 2", "-failure-rate NaN", "-crash-rate -1", "-concurrency 0",
		"-retries -1", "-timeout 0s", "-queue-prefix=", "-backoff soon", "-backoff 0s", "-nonsense", "rest"} {
		var out, complaint output
		flag, _, _ := strings.Cut(args, " ")
		flag, _, _ = strings.Cut(flag, "=")
		if code := run(context.Background(), strings.Fields(args), &out, &complaint); code != exitUsage || !strings.Contains(complaint.String(), flag) {
			t.Errorf("%s: exit code %d: %s", args, code, complaint.String())
		}
	}
}

func TestHelpHasExamples(t *testing.T) {
	var out, complaint output
	if code := run(t.Context(), []string{"-h"}, &out, &complaint); code != exitOK {
		t.Errorf("exit code %d", code)
	}
	mustContain(t, out.String(), "import -n 3080", "-failure-rate", "-queue-prefix")
}
