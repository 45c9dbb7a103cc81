package main

import (
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
)

// A company has a policy for all queues. Each command that looks says what it does, those without
// the management API say that they did not look, and no look makes a queue drop a message.
func TestEachCommandSaysWhatAPolicyDoes(t *testing.T) {
	amqptest.Long(t)
	b, api := amqptest.StartManaged(t)
	b.Ctl("set_policy", "company", ".*", `{"max-length":100,"overflow":"drop-head","delivery-limit":3,"message-ttl":86400000}`, "--apply-to", "queues")
	s := online(t)
	s.env["AMQP_URL"] = b.URL
	topology := file(t, "consumers:\n  - queue: orders\n    delays: [10s]\n")
	s.run("topology", "apply", "--file", topology, "--yes").want(t, exitOK, "declared")

	ch, err := amqptest.DialURL(t, b.URL).Channel()
	if err != nil {
		t.Fatal(err)
	}
	if err := ch.Confirm(false); err != nil {
		t.Fatal(err)
	}
	const n = 5
	for range n {
		confirm, err := ch.PublishWithDeferredConfirm("", "orders-error", true, false, amqp.Publishing{DeliveryMode: amqp.Persistent, Body: []byte("{}")})
		if err != nil || !confirm.Wait() {
			t.Fatalf("%v", err)
		}
	}

	s.run("doctor", "--file", topology).unfolded().want(t, exitOK, "policies: they were not looked at", "nothing serious in what could be looked at")
	amqptest.Eventually(t, 30*time.Second, func() bool {
		r := s.run("doctor", "--file", topology, "--management-url", api)
		return strings.Contains(r.unfolded().out, "drops messages above that")
	}, "the doctor finds nothing")
	s.run("doctor", "--file", topology, "--management-url", api).unfolded().want(t, exitFound,
		`policy "company"`, "delivery-limit 3", "dead-letters at most once", "its messages expire")
	s.run("topology", "plan", "--file", topology, "--management-url", api).want(t, exitOK, "it has max-length 100", "delivery-limit 3")
	s.run("status", "--file", topology, "--management-url", api).want(t, exitOK, "for the doctor")
	s.run("status", "--file", topology, "--management-url", api, "--json").want(t, exitOK, `"problems"`, "drops messages above that")

	for range 6 {
		s.run("errors", "ls", "orders").want(t, exitOK)
		s.run("errors", "groups", "orders", "--read-only").want(t, exitOK)
		s.run("errors", "ls", "orders", "--management-url", api).want(t, exitOK)
	}
	left, err := ch.QueueDeclarePassive("orders-error", true, false, false, false, nil)
	if err != nil || left.Messages != n {
		t.Errorf("%d messages are left of %d, %v", left.Messages, n, err)
	}
}
