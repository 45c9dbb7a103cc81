package sentry_test

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"reflect"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	sdk "github.com/getsentry/sentry-go"

	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/monitoring/sentry"
)

func TestAnEventSaysWhatHappened(t *testing.T) {
	s := newServer(t)
	m := newMonitor(t, sentry.Config{DSN: s.dsn(), Environment: "staging", Release: "v1.2.3"})
	d := monitoring.Delivery{
		Consumer: "orders", Queue: "shop.orders", MessageID: "m1", Attempt: 4, MaxRetries: 3,
		Body: []byte("private body"), Headers: map[string]any{"authorization": "private header"},
		CorrelationID: "private correlation", UserID: "private user",
	}
	m.End(m.Begin(t.Context(), d), d, monitoring.Outcome{
		Action: monitoring.Parked, Reason: monitoring.ReasonRetriesExhausted, Group: "f00d",
		Err:      fmt.Errorf("charge: %w", errors.New("card is expired")),
		Duration: 1500 * time.Microsecond,
	})
	r := s.next(t)

	auth := r.header.Get("X-Sentry-Auth")
	for _, want := range []string{"sentry_version=7", "sentry_key=" + key, "sentry_secret=" + secret} {
		if !strings.Contains(auth, want) {
			t.Errorf("X-Sentry-Auth is %q; want it to contain %q", auth, want)
		}
	}

	got := r.events[0]
	if id, _ := r.envelope["event_id"].(string); id == "" || id != string(got.EventID) {
		t.Errorf("the envelope is for event %q and the event is %q", id, got.EventID)
	}
	if want := []string{"orders", "f00d"}; !slices.Equal(got.Fingerprint, want) {
		t.Errorf("fingerprint is %v; want %v", got.Fingerprint, want)
	}
	if want := map[string]string{"consumer": "orders", "queue": "shop.orders", "reason": "retries-exhausted", "action": "parked"}; !maps.Equal(got.Tags, want) {
		t.Errorf("tags are %v; want %v", got.Tags, want)
	}
	if want := (sdk.Context{"attempt": 4.0, "max_retries": 3.0, "message_id": "m1", "duration_ms": 1.5}); !reflect.DeepEqual(got.Contexts["delivery"], want) {
		t.Errorf("context is %v; want %v", got.Contexts["delivery"], want)
	}
	if got.Environment != "staging" || got.Release != "v1.2.3" || got.Level != sdk.LevelError || got.Transaction != "orders" {
		t.Errorf("environment %q, release %q, level %q, transaction %q", got.Environment, got.Release, got.Level, got.Transaction)
	}
	if want := []string{"card is expired", "charge: card is expired"}; !slices.Equal(values(got), want) {
		t.Errorf("exceptions are %q; want %q", values(got), want)
	}
	for _, e := range got.Exception {
		if e.Stacktrace != nil {
			t.Errorf("%q has a stack, of which the handler knows nothing: %v", e.Value, e.Stacktrace.Frames)
		}
	}

	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	if got.ServerName != "" || !got.User.IsEmpty() || got.Request != nil || len(got.Breadcrumbs) != 0 {
		t.Errorf("server %q, user %v, request %v, breadcrumbs %v; want none", got.ServerName, got.User, got.Request, got.Breadcrumbs)
	}
	for _, never := range []string{"private", key, secret, `"server_name"`, fmt.Sprintf("%q", host)} {
		if strings.Contains(got.json, never) {
			t.Errorf("the event contains %q:\n%s", never, got.json)
		}
	}
	delete(r.envelope, "dsn") // the protocol has a place of its own for the DSN
	if text := fmt.Sprint(r.envelope); strings.Contains(text, key) || strings.Contains(text, secret) {
		t.Errorf("the envelope's header holds the key: %s", text)
	}
}

func TestThePayloadIsSentWhenAskedForAndNoMoreOfIt(t *testing.T) {
	s := newServer(t)
	m := newMonitor(t, sentry.Config{DSN: s.dsn(), SendPayload: 6})
	m.End(t.Context(), monitoring.Delivery{Body: []byte("abcd€ private")}, parked(nil))
	got := s.next(t).events[0]
	if c := got.Contexts["delivery"]; c["payload"] != "abcd" || c["payload_size"] != 15.0 {
		t.Errorf("context is %v; want the first four bytes of fifteen", c)
	}
	if strings.Contains(got.json, "private") {
		t.Errorf("the event has more of the payload: %s", got.json)
	}
}

func TestAPanicsStackIsTheHandlers(t *testing.T) {
	s := newServer(t)
	m := newMonitor(t, sentry.Config{DSN: s.dsn()})
	stack := stackOfPanic(handlerThatPanics)
	m.End(t.Context(), monitoring.Delivery{}, monitoring.Outcome{
		Action: monitoring.Retried, Reason: monitoring.ReasonPanic, Err: errors.New("assignment to entry in nil map"), Stack: stack,
	})
	got := s.next(t).events[0].Exception
	if len(got) != 1 || got[0].Stacktrace == nil {
		t.Fatalf("exceptions are %v; want one, with a stack", got)
	}
	frames := got[0].Stacktrace.Frames
	innermost := frames[len(frames)-1]
	if innermost.Function != "handlerThatPanics" || innermost.Lineno == 0 || !strings.HasSuffix(innermost.AbsPath+innermost.Filename, "event_test.go") {
		t.Errorf("the innermost frame is %+v; want the function that panicked", innermost)
	}
	for _, f := range frames {
		if f.Module == "runtime" || f.Function == "Stack" {
			t.Errorf("the stack has the frame %s.%s", f.Module, f.Function)
		}
	}
}

func TestAFailureWithoutAnErrorHasATitle(t *testing.T) {
	s := newServer(t)
	m := newMonitor(t, sentry.Config{DSN: s.dsn()})
	m.End(t.Context(), monitoring.Delivery{Consumer: "orders"}, monitoring.Outcome{Action: monitoring.Parked, Reason: monitoring.ReasonCrashed})
	got := s.next(t).events[0]
	if e := got.Exception; len(e) != 1 || e[0].Type != "crashed" || e[0].Value != "message parked" {
		t.Errorf("exceptions are %+v; want one, crashed", e)
	}
	if want := []string{"{{ default }}", "orders"}; !slices.Equal(got.Fingerprint, want) {
		t.Errorf("fingerprint is %v; want %v", got.Fingerprint, want)
	}
}

func TestPasswordsOfURLsAreBlottedOut(t *testing.T) {
	s := newServer(t)
	m := newMonitor(t, sentry.Config{DSN: s.dsn()})
	m.End(t.Context(), monitoring.Delivery{}, parked(
		fmt.Errorf("connect: %w", errors.New("dial amqp://shop:hunter2@rabbit:5672/prod: refused, then https://a:b:c@d, https://e:f/g@h"))))
	got := s.next(t).events[0]
	if want := "dial amqp://shop:***@rabbit:5672/prod: refused, then https://a:***@d, https://e:f/g@h"; values(got)[0] != want {
		t.Errorf("the text is %q\nwant        %q", values(got)[0], want)
	}
	if strings.Contains(got.json, "hunter2") {
		t.Errorf("the event has the password: %s", got.json)
	}
}

func TestLongTextsAreCutAtARune(t *testing.T) {
	s := newServer(t)
	m := newMonitor(t, sentry.Config{DSN: s.dsn()})
	many := make([]error, 100)
	for i := range many {
		many[i] = errors.New(strings.Repeat("é", 200) + fmt.Sprint(i))
	}
	many[0] = errors.New(strings.Repeat("é", 10_000))
	m.End(t.Context(), monitoring.Delivery{Consumer: "a" + strings.Repeat("é", 120), Queue: "one\ntwo"}, parked(errors.Join(many...)))
	got := s.next(t).events[0]
	if n := len(got.Exception); n != 30 {
		t.Errorf("%d exceptions; want the outermost 30", n)
	}
	if v := values(got)[29]; !strings.HasPrefix(v, strings.Repeat("é", 4094)) || len(v) > 8<<10 {
		t.Errorf("the outermost value has %d bytes; want 8 KiB", len(v))
	}
	if got.Tags["consumer"] != "a"+strings.Repeat("é", 98)+"…" || got.Tags["queue"] != "one two" {
		t.Errorf("tags are %q; want them to be cut, and on one line", got.Tags)
	}
}

func values(e event) []string {
	var all []string
	for _, one := range e.Exception {
		all = append(all, one.Value)
	}
	return all
}

func handlerThatPanics() {
	os.Args[len(os.Args)+1000] = "" // an index that no linter can compute
}

// stackOfPanic returns the stack that a consumer keeps of a panic.
func stackOfPanic(f func()) (stack string) {
	defer func() {
		if recover() != nil {
			stack = string(debug.Stack())
		}
	}()
	f()
	return ""
}
