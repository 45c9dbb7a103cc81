package main

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/internal/test/deliverytest"
	"github.com/bunnicula-go/bunnicula/internal/wire"
)

// milliseconds is a timestamp of a producer that does not write seconds, as many in JavaScript do.
const milliseconds = 1_800_000_000_000

// strangers are messages that programs other than ours have parked, by their ids.
func strangers(queue string) []amqp.Publishing {
	at := time.Unix(milliseconds, 0)
	obeyed := "a\x1b[2J\x1b]0;owned\x07\r\nb\u202ec\x9b\xff"
	return []amqp.Publishing{
		{MessageId: "node-1", Timestamp: at, ContentType: "application/json", Body: []byte(`{"number":1}`), Headers: amqp.Table{
			"tenant": "acme", "attempt": 1.5, "when": at, "list": []any{at, amqp.Table{"never": time.Unix(math.MinInt64, 0)}},
		}},
		{MessageId: "never", Timestamp: time.Unix(math.MaxInt64, 0), Body: []byte("text")},
		{MessageId: "before", Timestamp: time.Unix(math.MinInt64, 0), Body: []byte("text")},
		{MessageId: "headers", Body: []byte("{}"), Headers: amqp.Table{
			wire.Queue: queue, wire.Reason: "timeout", wire.Error: "late", wire.FailedAt: "2026-01-02T00:00:00+24:00", wire.FirstFailedAt: "9999-12-31T23:59:59-12:00",
			wire.RedriveCount: int64(1), wire.RedrivenAt: "58840-01-01T00:00:00Z",
			wire.History: `[{"at":"2026-11-01T10:00:00+24:00","attempt":1,"reason":"timeout","error":"late","ms":9223372036854775807},{"at":"9999-12-31T23:59:59-12:00","attempt":2}]`,
		}},
		{MessageId: "deaths", Body: []byte("{}"), Headers: amqp.Table{"x-death": []any{
			amqp.Table{"queue": queue, "reason": "expired", "count": int64(1), "exchange": "", "routing-keys": []any{"orders"}, "time": at},
			amqp.Table{"queue": queue, "reason": "rejected", "count": int64(math.MaxInt64), "exchange": "", "routing-keys": []any{"orders"}, "time": time.Unix(math.MinInt64, 0)},
		}}},
		{MessageId: "\x1b[31mid", Type: obeyed, AppId: obeyed, ReplyTo: obeyed, CorrelationId: obeyed, ContentType: obeyed, ContentEncoding: obeyed, Body: []byte(obeyed), Headers: amqp.Table{
			wire.Queue: queue, wire.Reason: obeyed, wire.Error: obeyed + strings.Repeat("x", 100_000), wire.ErrorType: obeyed, wire.ErrorGroup: obeyed, wire.Stack: obeyed,
			wire.Host: obeyed, wire.App: obeyed, wire.Consumer: obeyed, obeyed: obeyed, "bytes": []byte(obeyed), "table": amqp.Table{obeyed: obeyed},
		}},
	}
}

// parkForeign declares a consumer's queues and parks the messages of strangers.
func parkForeign(t *testing.T) (queue string, n int) {
	t.Helper()
	queue = park(t, 0)
	all := strangers(queue)
	for _, p := range all {
		p.DeliveryMode = amqp.Persistent
		amqptest.Publish(t, "", queue+"-error", p)
	}
	amqptest.Eventually(t, 10*time.Second, func() bool { return amqptest.Depth(t, queue+"-error") == len(all) }, "not all are parked")
	return queue, len(all)
}

func TestWhatAnybodyHasParkedIsListedAsJSON(t *testing.T) {
	t.Parallel()
	queue, n := parkForeign(t)
	s := online(t)
	r := s.run("errors", "ls", queue, "--json").want(t, exitOK)
	seen := map[string]map[string]any{}
	for line := range strings.Lines(r.out) {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Errorf("%v: %.300s", err, line)
			continue
		}
		seen[fmt.Sprint(m["id"])] = m
	}
	if len(seen) != n {
		t.Errorf("%d messages are listed, want %d: %s", len(seen), n, r.out)
	}
	for id, want := range map[string]string{"node-1": "1.8e+12", "never": fmt.Sprint(float64(math.MaxInt64)), "headers": "<nil>"} {
		if got := fmt.Sprint(seen[id]["timestamp"]); got != want {
			t.Errorf("the timestamp of %s is %s, want %s", id, got, want)
		}
	}
	if at := seen["headers"]["failed_at"]; at != "2026-01-01T00:00:00Z" || seen["headers"]["first_failed_at"] != nil || seen["headers"]["redriven_at"] != nil {
		t.Errorf("failed at %v: %v", at, seen["headers"])
	}
	for _, args := range [][]string{
		{"show", queue, "node-1", "--json"}, {"show", queue, "headers", "--json"}, {"show", queue, "deaths", "--json"}, {"groups", queue, "--json"},
		{"groups", queue, "--json", "--by", "reason"}, {"redrive", queue, "--all", "--dry-run", "--json"}, {"discard", queue, "--all", "--dry-run", "--json"},
	} {
		r := s.run(append([]string{"errors"}, args...)...).want(t, exitOK)
		if !json.Valid([]byte(r.out)) {
			t.Errorf("%q is no JSON: %.500s", args, r.out)
		}
	}
	s.run("errors", "show", queue, "node-1", "--json").want(t, exitOK, `"timestamp": 1800000000000`)
	if r := s.run("errors", "ls", queue, "--json", "newer=1h").want(t, exitOK); r.out != "" {
		t.Errorf("a message of an absurd time is new: %.300s", r.out)
	}
	depths(t, queue, n, 0)
}

func TestWhatAnybodyHasParkedIsShownAsPlainText(t *testing.T) {
	t.Parallel()
	queue, n := parkForeign(t)
	s := online(t)
	for _, shows := range []bool{false, true} {
		s.shows = shows
		for _, args := range [][]string{
			{"ls", queue}, {"groups", queue}, {"groups", queue, "--by", "app"}, {"groups", queue, "--by", "type"}, {"redrive", queue, "--all", "--dry-run"},
			{"show", queue, "node-1"}, {"show", queue, "never"}, {"show", queue, "headers"}, {"show", queue, "deaths"}, {"show", queue, "header.table"},
			{"show", queue, "header.bytes"}, {"discard", queue, "--all", "--dry-run"},
		} {
			r := s.run(append([]string{"errors"}, args...)...).want(t, exitOK)
			for line := range strings.Lines(r.out + r.err) {
				line = strings.TrimSuffix(line, "\n")
				if strings.ContainsFunc(line, func(r rune) bool { return r != '\t' && !unicode.IsPrint(r) }) {
					t.Errorf("%q prints what a terminal obeys: %.300q", args, line)
				}
				if len(line) > 5000 {
					t.Errorf("%q prints a line of %d bytes", args, len(line))
				}
			}
		}
	}
	s.shows = false
	s.run("errors", "show", queue, "node-1").want(t, exitOK, "1800000000000 seconds after 1970")
	r := s.run("errors", "ls", queue).want(t, exitOK)
	for line := range strings.Lines(r.out) {
		if age := line[:strings.IndexByte(r.out, 'R')-2]; strings.Contains(line, "node-1") && strings.TrimSpace(age) != "" {
			t.Errorf("the age of node-1 is %q", age)
		}
	}
	depths(t, queue, n, 0)
}

func TestWhatAnybodyHasParkedIsExportedAndImportedAsItWas(t *testing.T) {
	t.Parallel()
	queue, n := parkForeign(t)
	s := online(t)
	name := filepath.Join(t.TempDir(), "errors.jsonl")
	s.run("errors", "export", queue, "--output", name).want(t, exitOK)
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"timestamp":1800000000000`, `"timestamp":9223372036854775807`, `"timestamp":-9223372036854775808`, `"when":{"timestamp":1800000000000}`} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the file does not have %s", want)
		}
	}
	var before []amqp.Delivery
	for range n {
		before = append(before, amqptest.Get(t, queue+"-error"))
	}
	s.run("errors", "import", queue, name).want(t, exitOK, fmt.Sprintf("%d of %d messages imported", n, n))
	for _, was := range before {
		is := amqptest.Get(t, queue+"-error")
		if is.MessageId != was.MessageId || is.Timestamp.Unix() != was.Timestamp.Unix() || is.Timestamp.IsZero() != was.Timestamp.IsZero() {
			t.Errorf("%q of %d came back as %q of %d", was.MessageId, was.Timestamp.Unix(), is.MessageId, is.Timestamp.Unix())
		}
		for header, value := range was.Headers {
			if wire.IsUsers(header) && !deliverytest.SameHeader(is.Headers[header], value) {
				t.Errorf("%q: header %q is %v, was %v", was.MessageId, header, is.Headers[header], value)
			}
		}
	}
}

// A classic queue's head can be such a message, and the management API tells its timestamp.
func TestTheAgeOfAQueuesHeadIsUnknownIfItsTimestampIsNoTime(t *testing.T) {
	t.Parallel()
	queue, topology := consumerOf(t)
	s := online(t)
	s.run("topology", "apply", "--file", topology, "--yes").want(t, exitOK)
	s.env["RABBITMQ_MANAGEMENT_URL"] = fakeAPI(t, queue, `"messages_ready":`, fmt.Sprintf(`"head_message_timestamp": %d, "messages_ready":`, milliseconds))
	for _, args := range [][]string{{"status"}, {"status", "--file", topology}, {"status", "--json"}, {"status", "--json", "--file", topology}, {"doctor", "--json", "--file", topology}} {
		r := s.run(args...)
		if r.code != exitOK && r.code != exitFound || r.out == "" {
			t.Errorf("%q: exit code %d\n%s%s", args, r.code, r.out, r.err)
		}
	}
	r := s.run("status", "--json").want(t, exitOK)
	if !json.Valid([]byte(r.out)) || !strings.Contains(r.out, `"oldest": null`) || strings.Contains(r.out, `"oldest": "`) {
		t.Errorf("it is %s", r.out)
	}
}
