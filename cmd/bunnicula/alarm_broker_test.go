package main

import (
	"testing"

	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
)

func TestAnAlarmOfTheBrokerIsFoundAndEndsNothingInSilence(t *testing.T) {
	t.Parallel()
	b := amqptest.StartBroker(t)
	s := offline(t)
	s.env["AMQP_URL"] = b.URL
	declared := file(t, "consumers:\n  - queue: orders\n")
	s.run("topology", "apply", "--file", declared, "--yes").want(t, exitOK)
	b.MemoryAlarm(true)
	s.run("doctor", "--file", declared).want(t, exitFound, "the broker takes no messages: low on", "alarms")
	s.run("status", "orders").want(t, exitOK, "quarantine") // this still works
	s.run("publish", "orders", "--body", "x", "--count", "3", "--timeout", "1s").want(t, exitFailed, "of 3 are in a queue", "within --timeout 1s")
	b.MemoryAlarm(false)
	s.run("publish", "orders", "--body", "x").want(t, exitOK)
}
