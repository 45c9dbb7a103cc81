package docs

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/consumer/consumertest"
	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/monitoring/statsd"
)

const clojurePage = "docs/BUNNICULA.md"

// The keys that Clojure's Bunnicula and its monitoring take, in the order of their sources.
var clojureKeys = []string{
	":url", ":host", ":port", ":username", ":password", ":vhost", ":connection-name", ":secure?",
	":serializer", ":exchange-name", ":mandatory", ":immediate", ":expiration", ":persistent",
	":handler", ":message-handler-fn", ":deserializer", ":options",
	":queue-name", ":max-retries", ":timeout-seconds", ":backoff-interval-seconds", ":consumer-threads", ":prefetch-count",
	":rmq-connection", ":monitoring", ":routing-key", ":exchange", ":redelivered?", ":delivery-tag",
	":consumer-name", ":log-message-size", ":prefix", ":token", ":environment", ":result-fn",
}

func TestEachKeyOfClojureHasARow(t *testing.T) {
	_, names, _ := strings.Cut(read(t, clojurePage), "## Name by name")
	names, _, _ = strings.Cut(names, "\n## ")
	for _, key := range clojureKeys {
		if !strings.Contains(names, "`"+key+"`") {
			t.Errorf("%s says nothing of %s", clojurePage, key)
		}
	}
}

// table returns the cells of the table below the comment that names this test, after a heading.
func table(t *testing.T, page, heading string) [][]string {
	t.Helper()
	_, rest, _ := strings.Cut(read(t, page), heading)
	_, rest, found := strings.Cut(rest, "<!-- internal/test/docs reads this table -->\n")
	if !found {
		t.Fatalf("%s has no table for this test below %q", page, heading)
	}
	rest, _, _ = strings.Cut(rest, "\n\n")
	var rows [][]string
	for line := range strings.Lines(rest) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		rows = append(rows, cells)
	}
	return rows[2:] // the header and the line below it
}

var errBoom = errors.New("boom")

// says are the handlers of the table's rows, by the words of the column "here".
var says = map[string]func(context.Context) consumer.Result{
	"`consumer.Ack()`":                 func(context.Context) consumer.Result { return consumer.Ack() },
	"`consumer.Retry(nil)`":            func(context.Context) consumer.Result { return consumer.Retry(nil) },
	"`consumer.Error(err)`":            func(context.Context) consumer.Result { return consumer.Error(errBoom) },
	"`consumer.Timeout(err)`":          func(context.Context) consumer.Result { return consumer.Timeout(errBoom) },
	"`consumer.Retry(err)`":            func(context.Context) consumer.Result { return consumer.Retry(errBoom) },
	"a panic":                          func(context.Context) consumer.Result { panic(errBoom) },
	"`consumer.Result{}`":              func(context.Context) consumer.Result { return consumer.Result{} },
	"`consumer.RetryAfter(d, nil)`":    func(context.Context) consumer.Result { return consumer.RetryAfter(time.Hour, nil) },
	"`consumer.RetryAfter(d, err)`":    func(context.Context) consumer.Result { return consumer.RetryAfter(time.Hour, errBoom) },
	"`consumer.Snooze(d)`":             func(context.Context) consumer.Result { return consumer.Snooze(time.Hour) },
	"a handler that a stop interrupts": waits,
	"a handler that takes too long":    waits,
	"a body that cannot be parsed":     func(context.Context) consumer.Result { panic("it is not run") },
}

func waits(ctx context.Context) consumer.Result {
	<-ctx.Done()
	return consumer.Retry(ctx.Err())
}

// What becomes of a delivery decides which metrics are sent. Both are done by the code that users
// have, from the handler to the packet.
func TestTheTableOfCountersIsTrue(t *testing.T) {
	rows, seen := table(t, clojurePage, "## What a handler says"), map[string]bool{}
	for _, row := range rows {
		inClojure, there, here, want := row[0], row[1], row[2], row[3]
		if here == "the same" {
			here = inClojure
		}
		handler, ok := says[here]
		if !ok {
			t.Errorf("the test does not know the row %q", here)
			continue
		}
		seen[here] = true
		if inClojure != "" && there != want && here != "`consumer.Result{}`" {
			t.Errorf("%s counts %q in Clojure, and %q here", inClojure, there, want)
		}
		for _, attempt := range []int{1, 4} {
			t.Run(fmt.Sprintf("%s, attempt %d", here, attempt), func(t *testing.T) {
				d, o := outcome(t, here, handler, attempt)
				expect := strings.Split(strings.ReplaceAll(want, "`", ""), ", ")
				if o.Action == monitoring.Parked {
					expect = append(expect, ".parked")
				}
				slices.Sort(expect)
				if got := sent(t, d, o); !slices.Equal(got, expect) {
					t.Errorf("sent %q, the table says %q", got, expect)
				}
			})
		}
	}
	for here := range says {
		if !seen[here] {
			t.Errorf("the table has no row %q", here)
		}
	}
}

// outcome runs a handler and returns what a monitor is told.
func outcome(t *testing.T, here string, handler func(context.Context) consumer.Result, attempt int) (monitoring.Delivery, monitoring.Outcome) {
	t.Helper()
	spec := consumer.Spec{Queue: "orders", Handler: consumer.JSON(func(ctx context.Context, _ consumer.Message[any]) consumer.Result {
		time.Sleep(time.Microsecond) // so that the handler's time is above 0 on every clock
		return handler(ctx)
	})}
	options, body := []consumertest.Option{consumertest.Attempt(attempt)}, []byte("{}")
	switch here {
	case "a handler that takes too long":
		spec.Timeout = time.Millisecond
	case "a handler that a stop interrupts":
		options = append(options, consumertest.StopAfter(time.Millisecond))
	case "a body that cannot be parsed":
		body = []byte("{")
	}
	run := consumertest.New(t, spec).Deliver(body, options...)
	return monitoring.Delivery{Consumer: "orders", Queue: "orders"}, run.Settlement.Outcome
}

// sent returns the metrics of a delivery as the table writes them, sorted.
func sent(t *testing.T, d monitoring.Delivery, o monitoring.Outcome) []string {
	t.Helper()
	server, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	m, err := statsd.New(statsd.Config{Addr: server.LocalAddr().String()})
	if err != nil {
		t.Fatal(err)
	}
	m.End(m.Begin(t.Context(), d), d, o)
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	if err := server.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	packet := make([]byte, 1<<16)
	n, _, err := server.ReadFrom(packet)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for line := range strings.Lines(string(packet[:n])) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		if strings.HasSuffix(value, "|ms") {
			name += "timing"
		}
		all = append(all, strings.TrimPrefix(name, "orders"))
	}
	slices.Sort(all)
	return all
}

func TestTheTableOfBodiesIsTrue(t *testing.T) {
	type order struct {
		Number int `json:"number"`
	}
	for _, row := range table(t, clojurePage, "## What is decoded") {
		body := strings.Trim(row[0], "`")
		if body == "an empty one" {
			body = ""
		}
		got := "undecodable"
		run := consumertest.New(t, consumer.Spec{Queue: "orders", Handler: consumer.JSON(func(_ context.Context, msg consumer.Message[order]) consumer.Result {
			got = fmt.Sprintf("`%v`", msg.Payload)
			return consumer.Ack()
		})}).Deliver([]byte(body))
		if reason := run.Settlement.Reason; (reason == monitoring.ReasonUndecodable) != (got == "undecodable") {
			t.Errorf("%q: reason %q, but the handler got %s", body, reason, got)
		}
		if got != row[2] {
			t.Errorf("%q is %s, the table says %s", body, got, row[2])
		}
	}
}
