package main

import (
	"encoding/json"
	"strings"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
)

func TestPlanShowsTheDifferenceAndMakesNone(t *testing.T) {
	t.Parallel()
	queue := amqptest.Queue(t, "orders")
	events := amqptest.Queue(t, "events")
	topology := file(t, strings.NewReplacer("orders", queue, "exchange: events", "exchange: "+events).Replace(`consumers:
  - queue: orders
    delays: [10s, 1m]
    bindings:
      - exchange: events
        kind: topic
        keys: [order.*]
      - exchange: amq.topic
`))
	replace := []string{queue, placeholder, events, "events-xxxxxxxx"}
	s := online(t)
	compare(t, "plan-new.txt", s.run("topology", "plan", "--file", topology, "--read-only").want(t, exitFound).out, replace...)
	for _, name := range []string{queue, queue + "-retry-10s", queue + "-retry-1m", queue + "-quarantine", queue + "-error"} {
		if amqptest.Exists(t, name) {
			t.Errorf("plan has declared %s", name)
		}
	}
	s.run("topology", "apply", "--file", topology).want(t, exitRefused, "there is no terminal to ask at, say --yes")
	s.asks = true
	for answer, want := range map[string]int{"\n": exitRefused, "n\n": exitRefused, "": exitRefused} {
		s.in = answer
		s.run("topology", "apply", "--file", topology).want(t, want, "Declare 8, at amqp://", "not done")
	}
	if amqptest.Exists(t, queue) {
		t.Fatal("apply declared without a yes")
	}
	s.in = "y\n"
	s.run("topology", "apply", "--file", topology).want(t, exitOK, "declared")
	compare(t, "plan-same.txt", s.run("topology", "plan", "--file", topology).want(t, exitOK).out, replace...)
	amqptest.Publish(t, events, "order.created", amqp.Publishing{}) // it is bound

	ch := amqptest.Channel(t)
	if _, err := ch.QueueDelete(queue+"-error", false, false, false); err != nil {
		t.Fatal(err)
	}
	if _, err := ch.QueueDeclare(queue+"-error", true, false, false, false, amqp.Table{"x-queue-type": "classic", "x-message-ttl": int32(60000)}); err != nil {
		t.Fatal(err)
	}
	if _, err := ch.QueueDelete(queue+"-retry-1m", false, false, false); err != nil {
		t.Fatal(err)
	}
	compare(t, "plan-differs.txt", s.run("topology", "plan", "--file", topology).want(t, exitFound).out, replace...)
	r := s.run("topology", "plan", "--file", topology, "--json").want(t, exitFound)
	compare(t, "plan-differs.json", r.out, replace...)
	s.run("topology", "apply", "--file", topology, "--yes").want(t, exitFound, "nothing was declared")
	if amqptest.Exists(t, queue+"-retry-1m") {
		t.Error("apply declared beside what differs")
	}
	if depth := amqptest.Depth(t, queue); depth != 1 {
		t.Errorf("%d messages, want the one that was published", depth)
	}
}

func TestPartitionsArePlannedAppliedAndDrawn(t *testing.T) {
	t.Parallel()
	queue := amqptest.Queue(t, "orders", ".p00", ".p00-retry-10s", ".p01", ".p01-retry-10s")
	var text strings.Builder
	text.WriteString("consumers:\n")
	for _, p := range []string{".p00", ".p01"} {
		text.WriteString("  - queue: " + queue + p + "\n    delays: [10s]\n    error_queue: " + queue + "-error\n    single_active: true\n")
	}
	family := file(t, text.String())
	s := online(t)
	s.run("topology", "plan", "--file", family).want(t, exitFound, "+ queue     "+queue+".p01\n", "5 to create")
	s.run("topology", "apply", "--file", family, "--yes").want(t, exitOK, "declared")
	s.run("topology", "plan", "--file", family).want(t, exitOK, "= queue     "+queue+".p01-retry-10s\n", "5 there")
	s.run("topology", "graph", "--file", family).want(t, exitOK, queue+".p00 … "+queue+".p01 (2 partitions)")

	shared := file(t, strings.Replace(text.String(), "single_active: true", "single_active: false", 1))
	s.run("topology", "plan", "--file", shared).want(t, exitFound, "! queue     "+queue+".p00\n", "x-single-active-consumer", "1 different")
	twice := file(t, text.String()+"  - queue: "+queue+".p01\n")
	s.run("topology", "plan", "--file", twice).want(t, exitUsage, `queue "`+queue+`.p01": it is the main queue of two`)
}

func TestWhatMustBeThereAndIsNotIsMissing(t *testing.T) {
	t.Parallel()
	queue := amqptest.Queue(t, "orders")
	s := online(t)
	never := file(t, "consumers:\n  - queue: "+queue+"\n    mode: never\n")
	r := s.run("topology", "plan", "--file", never).want(t, exitFound, "3 missing", "mode: all")
	compare(t, "plan-missing.txt", r.out, queue, placeholder)
	s.run("topology", "apply", "--file", never, "--yes").want(t, exitFound, "nothing was declared")
	unbound := file(t, "consumers:\n  - queue: "+queue+"\n    bindings:\n      - exchange: "+queue+"-x\n")
	s.run("topology", "plan", "--file", unbound).want(t, exitFound, "it is bound to, and nobody declares it", "give its kind")
}

func TestPruneDeletesWhatIsEmptyAndSaysWhatItLeaves(t *testing.T) {
	t.Parallel()
	queue := amqptest.Queue(t, "orders", "-retry-1h", "-retry-2h")
	before := file(t, "consumers:\n  - queue: "+queue+"\n    type: classic\n    delays: [10s, 1h, 2h]\n")
	now := file(t, "consumers:\n  - queue: "+queue+"\n    type: classic\n    delays: [10s]\n")
	s := online(t)
	s.run("topology", "apply", "--file", before, "--yes").want(t, exitOK)
	amqptest.Publish(t, "", queue+"-retry-2h", amqp.Publishing{})

	args := []string{"topology", "prune", "--file", now, "--delays", "10s,1h,2h,3h"}
	compare(t, "prune-dry.txt", s.run(append(args, "--read-only")...).want(t, exitFound).out, queue, placeholder)
	if !amqptest.Exists(t, queue+"-retry-1h") {
		t.Fatal("it was deleted, and nobody said yes")
	}
	compare(t, "prune.txt", s.run(append(args, "--yes")...).want(t, exitFound).out, queue, placeholder)
	compare(t, "prune.json", s.run(append(args, "--json")...).want(t, exitOK).out, queue, placeholder)
	for suffix, want := range map[string]bool{"": true, "-error": true, "-retry-10s": true, "-retry-1h": false, "-retry-2h": true} {
		if there := amqptest.Exists(t, queue+suffix); there != want {
			t.Errorf("queue %s: there is %v, want %v", suffix, there, want)
		}
	}
	if depth := amqptest.Depth(t, queue+"-retry-2h"); depth != 1 {
		t.Errorf("%d messages, want 1", depth)
	}
}

// With the management API a quorum queue is deleted too, after a second check.
func TestPruneOfAQuorumQueueTakesTheManagementAPI(t *testing.T) {
	t.Parallel()
	queue := amqptest.Queue(t, "orders")
	before := file(t, "consumers:\n  - queue: "+queue+"\n    delays: [10s, 1m]\n")
	now := file(t, "consumers:\n  - queue: "+queue+"\n    delays: [1m]\n")
	s := online(t)
	s.run("topology", "apply", "--file", before, "--yes").want(t, exitOK)
	s.run("topology", "prune", "--file", now, "--delays", "10s", "--yes").want(t, exitFound, "left", "management API does", "nothing was deleted, because nothing can be")
	if !amqptest.Exists(t, queue+"-retry-10s") {
		t.Fatal("it was deleted without the API")
	}
	s.env["RABBITMQ_MANAGEMENT_URL"] = fakeAPI(t, queue)
	s.run("topology", "prune", "--file", now, "--yes").want(t, exitOK, queue+"-retry-10s  deleted")
	if amqptest.Exists(t, queue+"-retry-10s") || !amqptest.Exists(t, queue+"-retry-1m") {
		t.Error("the wrong one was deleted, or none")
	}
}

func TestPublishIsConfirmedOrSaysWhyNot(t *testing.T) {
	t.Parallel()
	queue, topology := consumerOf(t)
	s := online(t)
	s.run("publish", queue, "--body", "x").want(t, exitFailed, "there is no queue \""+queue+"\"", "topology apply")
	s.run("publish", "--exchange", "amq.topic", "--key", queue, "--body", "x").want(t, exitFailed, "no queue is bound", "bind a queue to exchange \"amq.topic\"")
	s.run("publish", "--exchange", queue, "--key", "k", "--body", "x").want(t, exitFailed, "404")
	s.run("publish", queue, "--body", "@none").want(t, exitFailed, "--body: open none")
	s.run("topology", "apply", "--file", topology, "--yes").want(t, exitOK)

	body := file(t, `{"number": 1}`)
	id := strings.TrimSpace(s.run("publish", queue, "--body", "@"+body, "--header", "source=test=1", "--header", "x=").want(t, exitOK).out)
	d := amqptest.Get(t, queue)
	if d.MessageId != id || string(d.Body) != `{"number": 1}` || d.ContentType != "application/json" || d.Headers["source"] != "test=1" || d.Headers["x"] != "" || d.DeliveryMode != amqp.Persistent {
		t.Errorf("it got %+v, and was told %s", d, id)
	}
	s.in = "text from a pipe"
	r := s.run("publish", queue, "--body", "-", "--count", "5", "--json").want(t, exitOK)
	ids := map[string]bool{}
	for line := range strings.Lines(r.out) {
		var p published
		if err := json.Unmarshal([]byte(line), &p); err != nil || p.RoutingKey != queue {
			t.Errorf("%v: %s", err, line)
		}
		ids[p.MessageID] = true
	}
	all := amqptest.Drain(t, queue)
	if len(ids) != 5 || len(all) != 5 {
		t.Errorf("%d messages, %d ids, want 5", len(all), len(ids))
	}
	for _, d := range all {
		if !ids[d.MessageId] || string(d.Body) != s.in || d.ContentType != "text/plain; charset=utf-8" {
			t.Errorf("%+v", d)
		}
	}
	s.run("publish", queue, "--body", "x", "--message-id", "mine", "--content-type", "a/b").want(t, exitOK, "mine")
	if d := amqptest.Get(t, queue); d.MessageId != "mine" || d.ContentType != "a/b" {
		t.Errorf("%+v", d)
	}
}
