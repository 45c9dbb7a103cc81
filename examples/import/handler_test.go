package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/examples/import/api"
	"github.com/bunnicula-go/bunnicula/examples/internal/drill/drilltest"
	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/publisher/publishertest"
)

// page is the last one of an account, with these ids.
func page(account, ids string) api.Page {
	all := map[string]int{"acme": 4, "corner-shop": 1}
	return api.Page{Account: account, Number: 1, Total: all[account], IDs: strings.Fields(ids)}
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
	const c1 = "/acme/conversations/c1"
	conversation := func(body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(body)) }
	}
	status := func(code int, retryAfter string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			if retryAfter != "" {
				w.Header().Set("Retry-After", retryAfter)
			}
			w.WriteHeader(code)
		}
	}
	for _, test := range []struct {
		name   string
		answer http.HandlerFunc
		want   func(url string) consumer.Result
	}{
		{"200", conversation(`{"account":"acme","id":"c1"}`), func(string) consumer.Result { return consumer.Ack() }},
		{"429", status(429, "7"), func(url string) consumer.Result {
			return consumer.SnoozeBecause(7*time.Second, errors.New("GET "+url+": 429 Too Many Requests, retry after 7s"))
		}},
		{"404", status(404, ""), func(url string) consumer.Result { return consumer.Error(errors.New("GET " + url + ": 404 Not Found")) }},
		{"401", status(401, ""), func(url string) consumer.Result {
			return consumer.Error(errors.New("GET " + url + ": 401 Unauthorized"))
		}},
		{"500", status(500, ""), func(url string) consumer.Result {
			return consumer.Retry(errors.New("GET " + url + ": 500 Internal Server Error"))
		}},
		{"nothing", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, func(url string) consumer.Result {
			return consumer.Timeout(errors.New(`Get "` + url + `": context deadline exceeded (Client.Timeout exceeded while awaiting headers)`))
		}},
		{"another", conversation(`{"account":"acme","id":"c2"}`), func(string) consumer.Result {
			return consumer.Error(errors.New(`asked for c1 of acme, got "c2" of "acme"`))
		}},
		{"of another account", conversation(`{"account":"corner-shop","id":"c1"}`), func(string) consumer.Result {
			return consumer.Error(errors.New(`asked for c1 of acme, got "c1" of "corner-shop"`))
		}},
		{"no JSON", conversation(`{"account":`), func(string) consumer.Result {
			return consumer.Retry(errors.New("GET " + c1 + ": unexpected EOF"))
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := httptest.NewServer(test.answer)
			defer server.Close()
			client := Client{URL: server.URL, HTTP: server.Client()}
			if test.name == "nothing" {
				client.HTTP.Timeout = 100 * time.Millisecond
			}
			importer := NewImporter(client, newLedger(t), NewTally(Options{}))
			got := importer.Handle(t.Context(), consumer.Message[ImportConversation]{Payload: ImportConversation{"acme", "c1"}})
			if want := test.want(server.URL + c1); !got.Equal(want) {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
}

func TestAPageOfAnotherAccountIsParked(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(page("corner-shop", "a b"))
	}))
	defer server.Close()
	var pub publishertest.Recorder
	lister := NewLister(Options{}, Client{server.URL, server.Client()}, &pub, newLedger(t), NewTally(Options{}))
	got := lister.Handle(t.Context(), consumer.Message[ListPage]{Payload: ListPage{"acme", 1}})
	if !got.Errored() || len(pub.Messages()) > 0 {
		t.Errorf("got %s, and %d messages", got, len(pub.Messages()))
	}
}

func TestAPageBecomesJobsAndTheNextPageOneThatComesFirst(t *testing.T) {
	o := Options{Prefix: "p"}
	for _, test := range []struct {
		page api.Page
		want []string
	}{
		{api.Page{Account: "acme", Number: 1, IDs: []string{"a", "b"}, Next: 2}, []string{
			`p-history ListPage acme-page-2 {"account":"acme","page":2}`,
			`p-conversation ImportConversation a {"account":"acme","id":"a"}`,
			`p-conversation ImportConversation b {"account":"acme","id":"b"}`,
		}},
		{api.Page{Account: "acme", Number: 2, IDs: []string{"c"}}, []string{
			`p-conversation ImportConversation c {"account":"acme","id":"c"}`,
		}},
		{api.Page{Account: "corner-shop", Number: 1}, nil},
	} {
		var pub publishertest.Recorder
		if err := NewLister(o, Client{}, &pub, nil, nil).publish(t.Context(), test.page); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, m := range pub.Messages() {
			got = append(got, fmt.Sprintf("%s %s %s %s", m.RoutingKey, m.Type, m.MessageId, m.Body))
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("page %d of %s: got %q, want %q", test.page.Number, test.page.Account, got, test.want)
		}
	}
}

func TestJobsThatNameNothingAreRefused(t *testing.T) {
	for _, job := range []interface{ Validate() error }{ListPage{}, ListPage{"acme", 0}, ListPage{"", 1}, ImportConversation{}, ImportConversation{"acme", ""}, ImportConversation{"", "c1"}} {
		if job.Validate() == nil {
			t.Errorf("%T %+v is taken", job, job)
		}
	}
	for _, job := range []interface{ Validate() error }{ListPage{"acme", 1}, ImportConversation{"acme", "c1"}} {
		if err := job.Validate(); err != nil {
			t.Errorf("%T: %v", job, err)
		}
	}
}

func TestAConversationThatCrashedAfterItsImportIsNotImportedTwice(t *testing.T) {
	requests := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		requests++
		_, _ = w.Write([]byte(`{"account":"acme","id":"c1"}`))
	}))
	defer server.Close()
	o := Options{Prefix: "import", Limit: 1000}
	tally := NewTally(o)
	limits, err := NewLimiter(o)
	if err != nil {
		t.Fatal(err)
	}
	importer := NewImporter(Client{server.URL, server.Client()}, newLedger(t), tally)
	process := func(crash float64) consumer.Settlement {
		o.CrashRate = crash
		c, err := consumer.New(nil, Conversations(o, limits, importer), tally, nil)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := json.Marshal(ImportConversation{"acme", "c1"})
		return c.Process(t.Context(), amqp.Delivery{MessageId: "c1", Body: body})
	}
	if s := process(1); s.Reason != monitoring.ReasonPanic || !importer.ledger.Imported("acme", "c1") {
		t.Errorf("the first time: %s %s, want a panic after the import", s.Action, s.Reason)
	}
	if s := process(0); s.Action != monitoring.Acked || requests != 1 || tally.Counts().Duplicates != 1 {
		t.Errorf("the second time: %s, %d requests, %d duplicates", s.Action, requests, tally.Counts().Duplicates)
	}
}

func TestALedgerThatWasCutInTheMiddleOfALineGoesOn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.jsonl")
	source := Source{Conversations: 4, Small: 2, Seed: 1, Backoff: "1s"}
	l, err := OpenLedger(path, source)
	if err != nil || !l.New {
		t.Fatalf("new is %v: %v", l.New, err)
	}
	if err := l.AddPage(page("acme", "a b")); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"a", "b"} {
		if added, err := l.Import(api.Conversation{Account: "acme", ID: id}); !added || err != nil {
			t.Fatalf("%s: %v, %v", id, added, err)
		}
	}
	if added, _ := l.Import(api.Conversation{Account: "acme", ID: "a"}); added {
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
	if l.New || !l.HasPage("acme", 1) || l.HasPage("corner-shop", 1) || !l.Imported("acme", "a") || l.Imported("acme", "b") {
		t.Errorf("it holds %+v", l.Books())
	}
	_, _ = l.Import(api.Conversation{Account: "acme", ID: "b"})
	_ = l.Close()
	if l, err = OpenLedger(path, source); err != nil || len(l.Books()["acme"].Imported) != 2 {
		t.Errorf("it cannot be read again: %v", err)
	}
	_ = l.Close()
	if _, err = OpenLedger(path, Source{Conversations: 9}); err == nil || !strings.Contains(err.Error(), "-n 4 -small 2 -seed 1 -backoff 1s") {
		t.Errorf("another source: %v", err)
	}
}

func TestWrongFlagsAreNamed(t *testing.T) {
	for _, args := range []string{"-n 0", "-n 9999", "-small -1", "-small 3081", "-later -1s", "-later 1h0m1s", "-rate 0", "-rate 1000001",
		"-limit -1", "-limit 1000001", "-failure-rate 2", "-failure-rate NaN", "-crash-rate -1", "-concurrency -1", "-concurrency 1001",
		"-retries -1", "-retries 1001", "-timeout 0s", "-timeout 1h1m0s", "-queue-prefix=", "-backoff soon", "-backoff 0s", "-backoff 2h", "-backoff 1500us", "-nonsense", "rest"} {
		var out, complaint drilltest.Output
		flag, value, _ := strings.Cut(args, " ")
		flag, _, _ = strings.Cut(flag, "=")
		code := run(context.Background(), strings.Fields(args), &out, &complaint)
		if says := complaint.String(); code != exitUsage || !strings.Contains(says, flag) || !strings.Contains(says, value) {
			t.Errorf("%s: exit code %d: %s", args, code, complaint.String())
		}
	}
}

func TestHelpHasExamples(t *testing.T) {
	var out, complaint drilltest.Output
	if code := run(t.Context(), []string{"-h"}, &out, &complaint); code != exitOK {
		t.Errorf("exit code %d", code)
	}
	drilltest.MustContain(t, out.String(), "import -n 3080", "-small", "-failure-rate", "-queue-prefix")
}
