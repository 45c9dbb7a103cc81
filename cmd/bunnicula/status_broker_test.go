package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
)

// consumerOf returns a queue's name for one test, and a topology file for the queue. Golden files
// have "orders-xxxxxxxx".
func consumerOf(t *testing.T) (queue, name string) {
	t.Helper()
	queue = amqptest.Queue(t, "orders")
	return queue, file(t, "consumers:\n  - queue: "+queue+"\n    delays: [10s, 1m]\n")
}

const placeholder = "orders-xxxxxxxx"

// fakeAPI answers with recorded answers of a RabbitMQ 3.10, whose queue "orders" it renames. It
// makes more replacements where they are given, old text and new text in turn.
func fakeAPI(t *testing.T, queue string, replace ...string) string {
	t.Helper()
	change := strings.NewReplacer(append([]string{`"orders`, `"` + queue}, replace...)...)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		what, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/api/"), "/")
		text, err := os.ReadFile("../../internal/management/testdata/" + what + "-3.10.json")
		if user, password, _ := r.BasicAuth(); user != "watcher" || password != "hunter2" || err != nil {
			http.Error(w, "", http.StatusUnauthorized)
			return
		}
		_, _ = change.WriteString(w, string(text))
	}))
	t.Cleanup(server.Close)
	return strings.Replace(server.URL, "://", "://watcher:hunter2@", 1)
}

// clocks are the times in a table, which differ from run to run.
var clocks = regexp.MustCompile(`(Mon |Tue |Wed |Thu |Fri |Sat |Sun )?\d\d:\d\d:\d\d`)

func TestStatusCountsWhatIsThereAndChangesNothing(t *testing.T) {
	t.Parallel()
	queue, topology := consumerOf(t)
	s := online(t)
	s.run("status", "--file", topology).want(t, exitFound, queue, "missing")
	if amqptest.Exists(t, queue) {
		t.Fatal("status has declared it")
	}
	s.run("topology", "apply", "--file", topology, "--yes").want(t, exitOK, "declared")
	for range 3 {
		amqptest.Publish(t, "", queue, amqp.Publishing{})
	}
	amqptest.Publish(t, "", queue+"-retry-1m", amqp.Publishing{})

	look := func(args ...string) string {
		return clocks.ReplaceAllString(s.run(append([]string{"status"}, args...)...).want(t, exitOK).out, "xx:xx:xx")
	}
	out := look("--file", topology)
	compare(t, "status.txt", out, queue, placeholder)
	if same := look("--file", topology, queue); same != out {
		t.Errorf("chosen by its name it is shown as\n%s", same)
	}
	s.run("status", queue).want(t, exitOK, "without retry queues: --delays")
	if same := look(queue, "--delays", "10s,1m"); same != out {
		t.Errorf("named, with its delays, it is shown as\n%s", same)
	}
	s.env["RABBITMQ_MANAGEMENT_URL"] = fakeAPI(t, queue)
	compare(t, "status-api.txt", look("--file", topology), queue, placeholder)
	s.run("status").want(t, exitOK, queue, "retry 10s", "quarantine")
	s.run("status", queue).want(t, exitOK, "retry 10s", "quarantine")
	s.run("status", "--management-url", strings.Replace(s.env["RABBITMQ_MANAGEMENT_URL"], "hunter2", "other", 1)).
		want(t, exitFailed, "it takes a user with the tag monitoring")

	for suffix, want := range map[string]int{"": 3, "-retry-1m": 1, "-retry-10s": 0, "-error": 0, "-quarantine": 0} {
		if depth := amqptest.Depth(t, queue+suffix); depth != want {
			t.Errorf("%d messages in %s, want %d", depth, suffix, want)
		}
	}
	if d := amqptest.Get(t, queue); d.Redelivered {
		t.Error("status took a message")
	}
}

// AMQP counts in no queue what a retry queue keeps because it could not go back yet.
func TestStatusShowsWhatIsKeptAndSaysWhenItCannot(t *testing.T) {
	t.Parallel()
	queue, topology := consumerOf(t)
	s := online(t)
	s.run("topology", "apply", "--file", topology, "--yes").want(t, exitOK)
	s.run("status", "--file", topology).want(t, exitOK, "without what is kept")

	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/api/queues/") {
			_, _ = fmt.Fprintf(w, `[{"name": "%s-retry-1m", "type": "quorum", "messages_dlx": 9}]`, queue)
			return
		}
		_, _ = io.WriteString(w, "[]")
	}))
	t.Cleanup(api.Close)
	s.env["RABBITMQ_MANAGEMENT_URL"] = strings.Replace(api.URL, "://", "://watcher:hunter2@", 1)
	r := s.run("status", "--file", topology).want(t, exitOK, "9 kept")
	if strings.Contains(r.out, "without what is kept") {
		t.Errorf("it is known, and not said to be:\n%s", r.out)
	}
	s.run("status", "--file", topology, "--json").want(t, exitOK, `"kept": 9`)
}

func TestStatusSaysUntilWhenMessagesWait(t *testing.T) {
	t.Parallel()
	queue, topo := ladder(t)
	s := online(t)
	s.run("topology", "apply", "--file", topo, "--yes").want(t, exitOK)
	if r := s.run("status", queue, "--delays", "ladder").want(t, exitOK, "retry, 10 empty", "250ms 1s 5s 15s 1m 5m 15m 1h 6h 24h"); strings.Contains(r.out, "all back by") {
		t.Errorf("nothing waits, and it says\n%s", r.out)
	}
	s.run("publish", queue, "--body", "{}", "--delay", "90s").want(t, exitOK)
	s.run("publish", queue, "--body", "{}", "--delay", "2d").want(t, exitOK)
	s.run("status", queue, "--delays", "ladder").want(t, exitOK, "retry, 8 empty", "retry 1m ", "retry 24h ", "all back by", "bunnicula-not-before")
	s.run("status", queue, "--delays", "ladder", "--all").want(t, exitOK, "retry 6h ")

	var report statusReport
	if err := json.Unmarshal([]byte(s.run("status", queue, "--delays", "ladder", "--json").want(t, exitOK).out), &report); err != nil {
		t.Fatal(err)
	}
	queues := report.Consumers[0].Queues
	if len(queues) != 13 {
		t.Errorf("%d queues, want all 13", len(queues))
	}
	for _, q := range queues {
		delay := map[string]time.Duration{"1m": time.Minute, "24h": 24 * time.Hour}[q.Delay]
		switch {
		case delay == 0 && (q.BackBy != nil || q.BackFrom != nil):
			t.Errorf("%+v, want no times", q)
		case delay > 0 && (q.BackBy == nil || q.BackFrom != nil || q.BackBy.Sub(report.At) < delay-time.Second || q.BackBy.Sub(report.At) > delay+5*time.Second):
			t.Errorf("at %s it is %+v, want all back within %s", report.At, q, delay)
		}
	}

	if _, err := amqptest.Channel(t).QueueDelete(queue, false, false, false); err != nil {
		t.Fatal(err)
	}
	s.run("status", "--file", topo).want(t, exitFound, "no way back")
	if r := s.run("status", "--file", topo, "--json").want(t, exitFound); strings.Contains(r.out, "back_by") {
		t.Errorf("the main queue is missing, and it says\n%s", r.out)
	}
}

func TestStatusAsJSONHasTheseFields(t *testing.T) {
	t.Parallel()
	queue, topology := consumerOf(t)
	s := online(t)
	s.run("topology", "apply", "--file", topology, "--yes").want(t, exitOK)
	r := s.run("status", "--json", "--file", topology).want(t, exitOK)
	var got struct {
		At     time.Time
		Broker string
	}
	if err := json.Unmarshal([]byte(r.out), &got); err != nil || time.Since(got.At) > time.Minute || got.Broker == "" {
		t.Fatalf("%v: %+v of\n%s", err, got, r.out)
	}
	at, err := got.At.MarshalText()
	if err != nil {
		t.Fatal(err)
	}
	compare(t, "status.json", r.out, queue, placeholder, string(at), "AT")
}

func TestTheBrokerIsFoundByTLSToo(t *testing.T) {
	t.Parallel()
	files := amqptest.TLSFiles(t)
	s := offline(t)
	s.env = map[string]string{"AMQP_URL": files.URL, "AMQP_CA_FILE": files.CA, "AMQP_CERT_FILE": files.Cert, "AMQP_KEY_FILE": files.Key}
	s.run("status", amqptest.Queue(t, "none"), "--json").want(t, exitFound, `"broker": "amqps://`)
	s.env["AMQP_CA_FILE"] = files.WrongCA
	s.run("doctor").want(t, exitFailed, "certificate")
	s.env["AMQP_URL"] = amqptest.URL(t)
	s.run("doctor").want(t, exitUsage, "AMQP_URL begins with amqp://, but CAFile is set; want amqps://")
}

// The second URL of a cluster is tried when the first is down.
func TestSeveralURLsAreTriedInTurn(t *testing.T) {
	t.Parallel()
	s := online(t)
	s.run("doctor", "--url", "amqp://guest:hunter2@127.0.0.1:1/,"+s.env["AMQP_URL"]).want(t, exitOK, "nothing serious in what could be looked at")
}

func TestWatchingGoesOnOverALostConnection(t *testing.T) {
	t.Parallel()
	proxy := amqptest.NewProxy(t, amqptest.URL(t))
	s := online(t)
	s.env["AMQP_URL"] = proxy.URL()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	looks := make(chan string)
	ended := make(chan int)
	queue := amqptest.Queue(t, "none")
	go func() {
		ended <- run(ctx, terminal{in: strings.NewReader(""), out: writes(looks), err: io.Discard, getenv: func(name string) string { return s.env[name] }},
			"status", "--watch", queue)
	}()
	<-looks
	proxy.Cut()
	select {
	case <-looks:
	case code := <-ended:
		t.Errorf("it ended with code %d", code)
	}
	cancel()
	interrupted(t, looks, ended)
}

func TestWatchingEndsWithAnInterrupt(t *testing.T) {
	t.Parallel()
	queue, topology := consumerOf(t)
	s := online(t)
	s.run("topology", "apply", "--file", topology, "--yes").want(t, exitOK)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	s.ctx, s.shows = ctx, true
	looks := make(chan string)
	ended := make(chan int)
	go func() {
		ended <- run(ctx, terminal{in: strings.NewReader(""), out: writes(looks), err: io.Discard, shows: true, getenv: func(name string) string { return s.env[name] }},
			"status", "--watch", queue)
	}()
	for range 2 {
		if look := <-looks; !strings.HasPrefix(look, "\x1b[H\x1b[2J") || !strings.Contains(look, "quarantine") {
			t.Errorf("a look is %q", look)
		}
	}
	cancel()
	interrupted(t, looks, ended)
}

// interrupted waits for the end of a command that may write once more.
func interrupted(t *testing.T, looks <-chan string, ended <-chan int) {
	t.Helper()
	for {
		select {
		case <-looks:
		case code := <-ended:
			if code != exitInterrupted {
				t.Errorf("exit code %d, want %d", code, exitInterrupted)
			}
			return
		}
	}
}

// writes receives each write as one text.
type writes chan string

func (w writes) Write(b []byte) (int, error) {
	w <- string(b)
	return len(b), nil
}
