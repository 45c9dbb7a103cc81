package main

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/control"
	"github.com/bunnicula-go/bunnicula/internal/inspect"
)

// lines returns a printer of events, and what it prints.
func lines(t *testing.T, columns int, o eventsOptions) (*eventLines, *bytes.Buffer) {
	t.Helper()
	var out bytes.Buffer
	return &eventLines{
		app:     &app{terminal: terminal{out: &out, shows: columns > 0, columns: columns, getenv: func(string) string { return "" }}},
		options: o, counts: map[string]int{},
	}, &out
}

func delivered(key string, e any) amqp.Delivery {
	body, ok := e.([]byte)
	if !ok {
		body, _ = json.Marshal(e)
	}
	return amqp.Delivery{RoutingKey: key, Body: body}
}

// night are the events of a bad night.
func night() []amqp.Delivery {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.Local)
	e := control.Event{
		Version: 1, What: control.Retried, At: at, Queue: "orders", Consumer: "orders", MessageID: "01a22a3b-3638-77bd-a186-9a34424df0eb",
		Attempt: 1, MaxRetries: 3, Action: "retried", Reason: "timeout", Error: "charge: dial tcp 10.0.0.7:443: connect: connection refused", DelayMS: 10_000,
	}
	parked, redriven, again, recovered, later := e, e, e, e, e
	parked.What, parked.Action, parked.Reason, parked.Attempt, parked.DelayMS = control.Parked, "parked", "retries-exhausted", 4, 0
	redriven.What, redriven.Action, redriven.Reason, redriven.Error, redriven.DelayMS = control.Redriven, "acked", "", "", 0
	again.What = control.Redriven
	recovered.What, recovered.Action, recovered.Reason, recovered.Error, recovered.DelayMS, recovered.Queue = control.Recovered, "acked", "", "", 0, "eu.customers.invoices.and.all.that.belongs.to.them"
	later.Version, later.What, later.Action, later.At, later.Error = 2, "paused", "paused", time.Time{}, ""
	return []amqp.Delivery{
		delivered("orders.retried", e), delivered("orders.parked", parked), delivered("orders.redriven", redriven), delivered("orders.redriven", again),
		delivered("eu.recovered", recovered), delivered("orders.paused", later),
		delivered("greeting", []byte("hello \x1b[2J\n\x07there")),
		delivered("orders.parked", []byte(`{"version":1,"event":"pa\u001b[2Jrked","queue":"or\u0007ders","error":"\u001b]0;x","attempt":-9223372036854775808,"max_retries":9223372036854775807,"delay_ms":9223372036854775807,"at":"2026-01-02T03:04:05Z"}`)),
		delivered("x", []byte(`{"version":"one"}`)), delivered("y", []byte(`[[[`)), delivered("z", []byte{0xff, 0xfe}), delivered("null", []byte("null")), delivered("", nil),
	}
}

func TestAnEventIsALineAndWhateverElseComesIsShownWithoutHarm(t *testing.T) {
	for name, columns := range map[string]int{"events-lines.txt": 0, "events-terminal.txt": 100} {
		l, out := lines(t, columns, eventsOptions{})
		for _, d := range night() {
			if _, err := l.delivery(d); err != nil {
				t.Fatal(err)
			}
		}
		text := out.String()
		if strings.Count(text, "\n") != len(night()) {
			t.Errorf("%d lines of %d messages:\n%s", strings.Count(text, "\n"), len(night()), text)
		}
		for _, color := range []string{red, green, yellow, "\x1b[0m"} {
			text = strings.ReplaceAll(text, color, "")
		}
		if strings.ContainsAny(text, "\x1b\a\r") {
			t.Errorf("a terminal would obey %q", text)
		}
		if got, want := l.summary(), "13 events: 1 retried, 1 parked, 2 redriven, 1 recovered, 8 other"; got != want {
			t.Errorf("the summary is %q, want %q", got, want)
		}
		shown := clocks.ReplaceAllString(out.String(), "xx:xx:xx")
		compare(t, name, strings.ReplaceAll(shown, "\x1b", "ESC"))
	}
}

func TestJSONIsTheEventAsItCame(t *testing.T) {
	l, out := lines(t, 0, eventsOptions{})
	l.app.json = true
	for _, d := range []amqp.Delivery{
		delivered("orders.parked", []byte("{ \"version\": 1,\n \"event\": \"parked\", \"queue\": \"orders\", \"attempt\": 9007199254740993, \"new\": {\"a\": [1.50]} }")),
		delivered("greeting", []byte("hello <b>")),
		delivered("bytes", []byte{0xff, 0x00}),
		delivered("orders.parked", []byte("{\"version\":1,\"event\":\"parked\",\"queue\":\"orders\",\"error\":\"\u009b2J \u202e\x7f\xff \U000e0001é\"}")),
	} {
		if _, err := l.delivery(d); err != nil {
			t.Fatal(err)
		}
	}
	want := `{"version":1,"event":"parked","queue":"orders","attempt":9007199254740993,"new":{"a":[1.50]}}
{"routing_key":"greeting","body":"hello <b>"}
{"routing_key":"bytes","body_base64":"/wA="}
{"version":1,"event":"parked","queue":"orders","error":"\u009b2J \u202e\u007f\ufffd \udb40\udc01é"}
`
	if out.String() != want {
		t.Errorf("got\n%swant\n%s", out, want)
	}
}

func TestFlagsChooseEvents(t *testing.T) {
	for _, c := range []struct {
		o    eventsOptions
		want string
	}{
		{eventsOptions{}, "13 events: 1 retried, 1 parked, 2 redriven, 1 recovered, 8 other"},
		{eventsOptions{what: []string{"parked"}}, "7 events: 1 parked, 6 other"}, // its keys let few others through
		{eventsOptions{queues: []string{"orders"}, what: []string{"redriven", "retried"}}, "9 events: 1 retried, 2 redriven, 6 other"},
		{eventsOptions{reason: []string{"retries-exhausted"}}, "1 event: 1 parked"},
		{eventsOptions{reason: []string{"timeout"}, count: 2}, "2 events: 1 retried, 1 redriven"},
		{eventsOptions{queues: []string{"none"}, reason: []string{"error"}}, "no events"},
	} {
		l, _ := lines(t, 0, c.o)
		for _, d := range night() {
			if enough, err := l.delivery(d); err != nil {
				t.Fatal(err)
			} else if enough {
				break
			}
		}
		if got := l.summary(); got != c.want {
			t.Errorf("%+v: %q, want %q", c.o, got, c.want)
		}
	}
}

func TestTheKeysBringWhatWasAskedFor(t *testing.T) {
	for _, c := range []struct {
		o    eventsOptions
		want []string
	}{
		{eventsOptions{}, []string{"#"}},
		{eventsOptions{what: []string{"parked", "retried"}}, []string{"#.parked", "#.retried"}},
		{eventsOptions{queues: []string{"eu.orders"}}, []string{"eu.orders.*"}},
		{eventsOptions{queues: []string{"a", "b"}, what: []string{"parked"}}, []string{"a.parked", "b.parked"}},
	} {
		if got := c.o.keys(); !slices.Equal(got, c.want) {
			t.Errorf("%+v: bound with %q, want %q", c.o, got, c.want)
		}
	}
}

func TestTheQueueOfATailIsTakenForNoConsumersQueue(t *testing.T) {
	if got := inspect.FromQueues([]string{"bunnicula.events.4jlv5bnt7w7e6vqkkbcgyvyd2m", "orders", "orders-error"}); len(got) != 1 || got[0].Name != "orders" {
		t.Errorf("status and doctor look at %+v", got)
	}
}
