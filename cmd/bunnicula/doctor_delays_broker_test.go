package main

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/doctor"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
)

const mails = `consumers:
  - queue: emails
    delays: [1s, 1h, 24h]
  - queue: letters
    type: classic
    delays: [1s, 1h]
`

// subjects returns the subjects of the findings of a check.
func subjects(t *testing.T, r result, check string) (found []string) {
	t.Helper()
	var report doctorReport
	if err := json.Unmarshal([]byte(r.out), &report); err != nil {
		t.Fatalf("%v:\n%s%s", err, r.out, r.err)
	}
	for _, f := range report.Findings {
		if f.Check == check && f.Severity != doctor.Note {
			found = append(found, f.Subject)
		}
	}
	slices.Sort(found)
	return found
}

// unfolded returns the result with its lines joined.
func (r result) unfolded() result {
	r.out = strings.Join(strings.Fields(r.out), " ")
	return r
}

// What the doctor says of messages that wait for a queue that is not there is what the broker does.
func TestTheDoctorExplainsWhatWaitsForNobody(t *testing.T) {
	amqptest.Long(t)
	b, api := amqptest.StartManaged(t, amqptest.Setting{Name: "dead_letter_worker_publisher_confirm_timeout", Value: "5000"})
	s := online(t)
	s.env["AMQP_URL"], s.env["RABBITMQ_MANAGEMENT_URL"] = b.URL, api
	client, all := rawClient(t, b.URL), file(t, mails)
	s.run("topology", "apply", "--file", all, "--yes").want(t, exitOK)
	// The longest rung up to what is left of a delay when the message is built is its first one. So
	// each delay is well above its rung.
	for _, args := range [][]string{{"emails", "4s", "3"}, {"emails", "5h", "1"}, {"emails", "2d", "2"}, {"letters", "4s", "3"}, {"letters", "5h", "1"}} {
		s.run("publish", args[0], "--body", "{}", "--delay", args[1], "--count", args[2]).want(t, exitOK)
	}
	for _, main := range []string{"emails", "letters"} {
		if _, err := client.ch.QueueDelete(main, false, false, false); err != nil {
			t.Fatal(err)
		}
	}

	// Nobody names them. Those of 1 s of the classic queue were dropped, and leave nothing to find.
	want := []string{"queue emails-retry-1h", "queue emails-retry-1s", "queue emails-retry-24h", "queue letters-retry-1h"}
	var r result
	amqptest.Eventually(t, time.Minute, func() bool {
		r = s.run("doctor", "--json")
		return slices.Equal(subjects(t, r, "no-way-back"), want)
	}, "the doctor does not find %q", want)
	s.run("doctor").unfolded().want(t, exitFound, "queue emails-retry-1s: 3 messages kept in it, whose time is over",
		"queue emails-retry-24h: 2 messages in it, and queue emails, to which they go back, is", "the broker drops them")
	if depth := client.depth("emails-retry-1s"); depth != 0 {
		t.Errorf("AMQP counts %d messages that are kept", depth)
	}
	s.run("status", "emails").want(t, exitFound, "no way back", "3 kept")

	s.run("topology", "apply", "--file", all, "--yes").want(t, exitOK)
	amqptest.Eventually(t, 30*time.Second, func() bool { return client.depth("emails") == 3 }, "what was kept does not come back")
	if depth := client.depth("letters"); depth != 0 {
		t.Errorf("%d messages came back from a classic queue", depth)
	}

	// A consumer without the delays has messages in them.
	fewer := file(t, "consumers:\n  - queue: emails\n    delays: [1s]\n")
	want = []string{"queue emails-retry-1h", "queue emails-retry-24h"}
	amqptest.Eventually(t, time.Minute, func() bool {
		r = s.run("doctor", "--file", fewer, "--json")
		return slices.Equal(subjects(t, r, "left-over"), want) && subjects(t, r, "no-way-back") == nil
	}, "the doctor does not find %q", want)
	s.run("doctor", "--file", fewer).unfolded().want(t, exitFound, "its consumer has no delay of 24h any more", "in the retry queues of 1s")
	if got := subjects(t, s.run("doctor", "--file", all, "--json"), "left-over"); got != nil {
		t.Errorf("with all delays %q are left over", got)
	}

	if amqptest.AtLeast(t, 4, 3) {
		b.Ctl("set_policy", "slow", "emails", `{"delayed-retry-type":"all","delayed-retry-min":2000}`, "--apply-to", "quorum_queues")
		amqptest.Eventually(t, time.Minute, func() bool {
			return len(subjects(t, s.run("doctor", "--file", all, "--json"), "delayed-retry")) == 3
		}, "the doctor does not find the policy of the main, quarantine and error queue")
		s.run("doctor", "--file", all).unfolded().want(t, exitFound, "each of 3 queues: it delays what is given back or returned")
		d, ok, err := client.ch.Get("emails", false)
		if err != nil || !ok || d.Nack(false, true) != nil {
			t.Fatalf("%v, %v", ok, err)
		}
		if depth := client.depth("emails"); depth != 2 {
			t.Errorf("%d messages are ready, want 2, since one that was given back waits", depth)
		}
		amqptest.Eventually(t, 10*time.Second, func() bool { return client.depth("emails") == 3 }, "it does not come back")
	}
}

func TestPruningLeavesRungsThatAConsumerHasOrThatHaveMessages(t *testing.T) {
	amqptest.Long(t)
	b, api := amqptest.StartManaged(t)
	s := online(t)
	s.env["AMQP_URL"], s.env["RABBITMQ_MANAGEMENT_URL"] = b.URL, api
	client := rawClient(t, b.URL)
	with := file(t, "consumers:\n  - queue: emails\n    delays: [1s, 5s, 15s, 1m, 5m, 15m, 1h, 6h, 24h]\n")
	without := file(t, "consumers:\n  - queue: emails\n    delays: [1m]\n")
	s.run("topology", "apply", "--file", with, "--yes").want(t, exitOK)
	s.run("publish", "emails", "--body", "{}", "--delay", "2d").want(t, exitOK)
	there := func() (n int) {
		for _, rung := range rungs() {
			if _, err := rawClient(t, b.URL).ch.QueueDeclarePassive("emails"+rung, true, false, false, false, nil); err == nil {
				n++
			}
		}
		return n
	}

	s.run("topology", "prune", "--file", with, "--yes").want(t, exitOK, "no retry queue that the file does not name")
	s.run("topology", "prune", "--file", with, "--old", "emails", "--yes").want(t, exitOK, "no queue that the file does not name")
	if there() != 9 {
		t.Errorf("%d of 10 are there", there())
	}
	amqptest.Eventually(t, time.Minute, func() bool {
		r := s.run("topology", "prune", "--file", without)
		return slices.Equal(kept(r.out), []string{"emails-retry-24h"})
	}, "that with a message alone is not left")
	s.run("topology", "prune", "--file", without, "--old", "emails", "--yes").want(t, exitFound, "emails-retry-24h  left", "messages in it")
	if there() != 2 || client.depth("emails-retry-24h") != 1 {
		t.Errorf("%d are there, want those of 1m and 24h", there())
	}
}

// kept returns the queues that prune leaves.
func kept(report string) (queues []string) {
	for line := range strings.Lines(report) {
		if queue, ok := strings.CutSuffix(strings.TrimSpace(line), "  left"); ok {
			queues = append(queues, strings.TrimPrefix(queue, "= "))
		}
	}
	return queues
}
