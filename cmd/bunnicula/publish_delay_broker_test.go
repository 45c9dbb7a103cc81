package main

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/internal/wire"
	"github.com/bunnicula-go/bunnicula/topology"
)

// rungs are the ends of the names of the Ladder's retry queues.
func rungs() (suffixes []string) {
	for _, d := range topology.Ladder {
		suffixes = append(suffixes, "-retry-"+topology.FormatDelay(d))
	}
	return suffixes
}

// ladder returns a queue's name for one test, and a topology file for the queue with the Ladder.
func ladder(t *testing.T) (queue, name string) {
	t.Helper()
	queue = amqptest.Queue(t, "emails", rungs()...)
	return queue, file(t, "consumers:\n  - queue: "+queue+"\n    delays: [250ms, 1s, 5s, 15s, 1m, 5m, 15m, 1h, 6h, 24h]\n")
}

func TestAMessageWithADelayWaitsInTheLongestRungThatFits(t *testing.T) {
	t.Parallel()
	queue, topo := ladder(t)
	s := online(t)
	s.run("topology", "apply", "--file", topo, "--yes").want(t, exitOK)
	before := time.Now()

	r := s.run("publish", queue, "--body", "{}", "--delay", "90s", "--message-id", "one").want(t, exitOK, "one\n", "due ")
	if r.out != "one\n" {
		t.Errorf("stdout is %q, want the id alone", r.out)
	}
	said, err := time.Parse(time.RFC3339, strings.TrimSpace(strings.TrimPrefix(r.err, "due ")))
	if err != nil || said.Before(before.Add(89*time.Second)) || said.After(time.Now().Add(91*time.Second)) {
		t.Errorf("stderr is %q, %v, want a time 90 s from now", r.err, err)
	}
	s.run("publish", queue, "--body", "{}", "--delay", "2d").want(t, exitOK, "due ")
	s.run("publish", queue, "--body", "{}", "--at", time.Now().Add(2*time.Hour).Format(time.RFC3339)).want(t, exitOK, "due ")
	if r := s.run("publish", queue, "--body", "{}", "--delay", "0s").want(t, exitOK); strings.Contains(r.err, "due") {
		t.Errorf("without a delay it says %q", r.err)
	}

	r = s.run("publish", queue, "--body", "{}", "--delay", "6m", "--count", "3", "--json").want(t, exitOK)
	dues := map[string]bool{}
	for line := range strings.Lines(r.out) {
		var p published
		if err := json.Unmarshal([]byte(line), &p); err != nil || p.RoutingKey != queue || p.Due.Location() != time.UTC {
			t.Errorf("%v: %s", err, line)
		}
		dues[p.Due.Format(time.RFC3339Nano)] = true
	}
	if len(dues) != 1 || strings.Contains(r.err, "due") {
		t.Errorf("three messages are due at %v, want one time, in the JSON alone: %s", dues, r.err)
	}

	for suffix, want := range map[string]int{"": 1, "-retry-1m": 1, "-retry-1h": 1, "-retry-24h": 1, "-retry-5m": 3, "-retry-15m": 0} {
		if depth := amqptest.Depth(t, queue+suffix); depth != want {
			t.Errorf("%d messages in %s, want %d", depth, suffix, want)
		}
	}
	d := amqptest.Get(t, queue+"-retry-5m")
	at, _ := d.Headers[wire.Due].(string)
	if parsed, err := time.Parse(time.RFC3339Nano, at); err != nil || !dues[parsed.Format(time.RFC3339Nano)] {
		t.Errorf("the header says %q, the command %v", at, dues)
	}
}

func TestAQueueThatTakesNoDelayIsToldFromOneThatIsNotThere(t *testing.T) {
	t.Parallel()
	queue, topo := consumerOf(t) // with other delays
	s := online(t)
	s.run("topology", "apply", "--file", topo, "--yes").want(t, exitOK)
	s.run("publish", queue, "--body", "{}", "--delay", "2h").
		want(t, exitFailed, queue+"-retry-1h", "needs topology.Ladder", "the queue is there without that retry queue")
	if depth := amqptest.Depth(t, queue); depth != 0 {
		t.Errorf("%d messages came at once", depth)
	}
	none := amqptest.Queue(t, "none")
	s.run("publish", none, "--body", "{}", "--delay", "2h").
		want(t, exitFailed, `there is no queue "`+none+`" either`, "needs topology.Ladder", "topology apply")
	s.run("publish", none, "--body", "{}").want(t, exitFailed, `there is no queue "`+none+`": start its consumer`)
}

func TestWhatIsPublishedWithADelayIsHandledThenAndParkedWithIt(t *testing.T) {
	t.Parallel()
	queue := amqptest.Queue(t, "emails", rungs()...)
	s := online(t)
	var log ledger
	log.work(t, s.env["AMQP_URL"], consumer.Spec{Queue: queue, Delays: topology.Ladder}, func(context.Context, int) consumer.Result {
		return consumer.Error(errors.New("no"))
	})
	r := s.run("publish", queue, "--body", `{"n": 1}`, "--delay", "1500ms", "--json").want(t, exitOK)
	var p published
	if err := json.Unmarshal([]byte(r.out), &p); err != nil {
		t.Fatalf("%v: %s", err, r.out)
	}
	log.eventually(t, 20*time.Second, 1, 1)
	if at := log.of(1)[0].at; at.Before(p.Due) {
		t.Errorf("it was handled at %s, and due at %s", at, p.Due)
	}
	amqptest.Eventually(t, 10*time.Second, func() bool { return amqptest.Depth(t, queue+"-error") == 1 }, "it is not parked")
	s.run("errors", "show", queue).want(t, exitOK, "\ndue          "+p.Due.Format("2006-01-02 15:04:05Z"))
	s.run("errors", "show", queue, "--json").want(t, exitOK, `"due": "`+p.Due.Format(time.RFC3339Nano))
}
