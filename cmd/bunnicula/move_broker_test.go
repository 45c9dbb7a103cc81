package main

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/internal/wire"
)

// movable declares two consumers, and publishes two messages into each queue of the first one but
// its retry queue of 10 s. Golden files have "orders-xxxxxxxx" and "invoices-xxxxxxxx".
func movable(t *testing.T, s *shell) (old, now, topology string, replace []string) {
	t.Helper()
	old, now = amqptest.Queue(t, "orders"), amqptest.Queue(t, "invoices")
	s.run("topology", "apply", "--yes", "--file", file(t, "consumers:\n  - queue: "+old+"\n    delays: [10s, 1h]\n")).want(t, exitOK)
	topology = file(t, "consumers:\n  - queue: "+now+"\n    delays: [10s, 1h]\n")
	s.run("topology", "apply", "--yes", "--file", topology).want(t, exitOK)
	for _, suffix := range []string{"", "-retry-1h", "-quarantine", "-error"} {
		for range 2 {
			amqptest.Publish(t, "", old+suffix, amqp.Publishing{MessageId: "m", Headers: amqp.Table{wire.Queue: old}})
		}
	}
	return old, now, topology, []string{old, placeholder, now, "invoices-xxxxxxxx", topology, "topology.yml"}
}

var duration = regexp.MustCompile(` in [0-9.]+m?s|"took": [0-9]+`)

func TestMoveAsksMovesAndSaysWhatIsNext(t *testing.T) {
	t.Parallel()
	s := online(t)
	old, now, topology, replace := movable(t, s)
	args := []string{"move", old, now, "--file", topology, "--old-delays", "10s,1h"}
	r := s.run(append(args, "--dry-run", "--read-only")...).want(t, exitOK)
	compare(t, "move-dry.txt", r.out, replace...)
	s.run(args...).want(t, exitRefused, "there is no terminal to ask at, say --yes")
	s.asks, s.in = true, "n\n"
	r = s.run(args...).want(t, exitRefused, "not done")
	compare(t, "move-question.txt", r.err, replace...)
	if depth := amqptest.Depth(t, old); depth != 2 {
		t.Fatalf("%d messages are left, and nobody said yes", depth)
	}
	s.in = "y\n"
	r = s.run(append(args, "--limit", "3")...).want(t, exitFound)
	compare(t, "move-left.txt", duration.ReplaceAllString(r.out, " in 1s"), replace...)
	r = s.run(append(args, "--json", "--yes")...).want(t, exitOK)
	compare(t, "move.json", duration.ReplaceAllString(r.out, `"took": 1`), replace...)
	s.run(append(args, "--yes")...).want(t, exitOK, "0 messages", "nothing waits")
	for suffix, want := range map[string]int{"": 2, "-retry-10s": 0, "-retry-1h": 2, "-quarantine": 2, "-error": 2} {
		if left, moved := amqptest.Depth(t, old+suffix), amqptest.Depth(t, now+suffix); left != 0 || moved != want {
			t.Errorf("%s: %d are left, %d are moved", suffix, left, moved)
		}
	}
}

func TestMoveSaysWhatIsMissingAndWhatStays(t *testing.T) {
	t.Parallel()
	s := online(t)
	old, now := amqptest.Queue(t, "orders"), amqptest.Queue(t, "invoices")
	args := []string{"move", old, now, "--old-delays", "1h", "--yes"}
	s.run(args...).want(t, exitFound, `there is no queue "`+old+`"`)
	s.run("topology", "apply", "--yes", "--file", file(t, "consumers:\n  - queue: "+old+"\n    delays: [1h]\n")).want(t, exitOK)
	amqptest.Publish(t, "", old+"-retry-1h", amqp.Publishing{})
	amqptest.Publish(t, "", old+"-quarantine", amqp.Publishing{})
	s.run(args...).want(t, exitFound, `queue "`+now+`" of the new consumer does not exist`, "topology apply --file topology.yml")
	s.run("topology", "apply", "--yes", "--file", file(t, "consumers:\n  - queue: "+now+"\n    type: classic\n")).want(t, exitOK)
	s.run(args...).want(t, exitFound, "left in "+old+"-quarantine: 1\n", "no quarantine queue", "no retry queue")
	s.run("move", old, now, "--old-delays", "1h", "--delays", "1h", "--yes").want(t, exitFound, `queue "`+now+`-retry-1h" of the new consumer does not exist`)
	if a, b := amqptest.Depth(t, old+"-retry-1h"), amqptest.Depth(t, old+"-quarantine"); a != 1 || b != 1 {
		t.Errorf("%d and %d messages are left, want one each", a, b)
	}
	// A message whose headers cannot be read stays.
	amqptest.Publish(t, "", old, amqp.Publishing{Headers: deep(40)})
	s.run("move", old, now, "--old-delays", "none", "--yes").want(t, exitFailed, "nested too deep")
	if depth := amqptest.Depth(t, old); depth != 1 {
		t.Errorf("%d messages are left, want the one that cannot be read", depth)
	}
}

func TestMoveSaysWhichExchangesAreBound(t *testing.T) {
	amqptest.Long(t)
	b, api := amqptest.StartManaged(t)
	s := online(t)
	s.env["AMQP_URL"], s.env["RABBITMQ_MANAGEMENT_URL"] = b.URL, api
	bound := "    bindings: [{exchange: events, kind: topic, keys: [order.*]}]\n"
	s.run("topology", "apply", "--yes", "--file", file(t, "consumers:\n  - queue: orders\n    delays: [1m]\n"+bound)).want(t, exitOK)
	topology := file(t, "consumers:\n  - queue: invoices\n")
	s.run("topology", "apply", "--yes", "--file", topology).want(t, exitOK)
	client := rawClient(t, b.URL)
	client.publish("events", "order.placed", 0, 3)
	client.publish("", "orders-retry-1m", 3, 4) // the API tells that there is such a queue
	if _, err := client.ch.Consume("orders-error", "", false, false, false, false, nil); err != nil {
		t.Fatal(err)
	}
	s.run("move", "orders", "invoices", "--file", topology, "--dry-run").want(t, exitOK,
		"orders-retry-1m", "exchange events is bound to orders with key \"order.*\"\n", "bind invoices to exchange events")
	if err := client.ch.QueueBind("invoices", "order.*", "events", false, nil); err != nil {
		t.Fatal(err)
	}
	var report moveReport
	r := s.run("move", "orders", "invoices", "--file", topology, "--yes", "--json").want(t, exitFound)
	if err := json.Unmarshal([]byte(r.out), &report); err != nil || report.Moved != 3 || report.Left != 1 || len(report.Bindings) != 1 || !report.Bindings[0].New {
		t.Errorf("%v\n%s", err, r.out)
	}
	if !strings.Contains(strings.Join(report.Next, "\n"), "unbind orders from exchange events") {
		t.Errorf("next: %q", report.Next)
	}
	amqptest.Eventually(t, 10*time.Second, func() bool { return client.depth("invoices") == 3 }, "not all are moved")
}

// deep returns headers that are nested so deep.
func deep(depth int) amqp.Table {
	nested := amqp.Table{}
	for range depth {
		nested = amqp.Table{"a": nested}
	}
	return nested
}
