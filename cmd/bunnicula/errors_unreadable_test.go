package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
)

func TestAMessageThatTheBrokerCannotConvertIsNamedAndWhatStandsBeforeItIsDone(t *testing.T) {
	t.Parallel()
	if amqptest.Major(t) < 4 {
		t.Skip("before RabbitMQ 4 AMQP 1.0 is a plugin, and converts what it takes")
	}
	const before, behind = 12, 3
	queue := park(t, before)
	amqptest.Publish10(t, queue+"-error", amqptest.Unconvertible("bad"))
	for i := range behind {
		publishParked(t, amqptest.Channel(t), queue, before+i)
	}
	all := before + 1 + behind
	whole := func() {
		t.Helper()
		amqptest.Eventually(t, 10*time.Second, func() bool { return amqptest.Depth(t, queue+"-error") == all }, "not all are parked")
	}
	whole()
	s := online(t)
	said := []string{"the message at position ", "cannot be read with AMQP 0-9-1", "may stand behind it", "541", "AMQP 1.0 client"}

	listed := s.run("errors", "ls", queue).want(t, exitFailed, append(said, "order-000", "order-011")...)
	// Each lost connection may move it behind messages that came after it, which are listed then.
	position, left := 0, 0
	place := regexp.MustCompile(`at position (\d+) .* and (\d+) messages? may stand behind it`).FindStringSubmatch(listed.err)
	if len(place) == 3 {
		position, _ = strconv.Atoi(place[1])
		left, _ = strconv.Atoi(place[2])
	}
	if n := strings.Count(listed.out, " order-"); position <= before || position+left != all || n != position-1 {
		t.Errorf("%d are listed, it is at position %d with %d behind it, of %d", n, position, left, all)
	}
	whole()
	s.run("errors", "ls", queue, "--limit", "4").want(t, exitOK, "the first 4 are listed")
	whole()
	s.run("errors", "groups", queue).want(t, exitFailed, append(said, "in 3 groups, of what could be read")...)
	whole()
	s.run("errors", "show", queue, "order-003").want(t, exitOK, "order-003")
	whole()

	file := filepath.Join(t.TempDir(), "errors.jsonl")
	s.run("errors", "export", queue, "--output", file).want(t, exitFailed, append(said, "messages of "+queue+"-error written to ")...)
	if text, err := os.ReadFile(file); err != nil || bytes.Count(text, []byte("\n")) < before+2 {
		t.Errorf("the file has %d lines, %v", bytes.Count(text, []byte("\n")), err)
	}
	s.run("errors", "import", queue, file, "--dry-run").want(t, exitOK, "can be imported")
	whole()

	s.asks, s.in = true, "yes\n"
	s.run("errors", "redrive", queue, "--id", "order-003").want(t, exitFailed, append(said, "Redrive 1 message from ", "1 message of ")...)
	if all--; amqptest.Depth(t, queue) != 1 {
		t.Errorf("%d are redriven, want 1", amqptest.Depth(t, queue))
	}
	whole()
	s.run("errors", "discard", queue, "--id", "order-004").want(t, exitFailed, append(said, "Move 1 message of ", "1 message of ")...)
	all--
	whole()
	s.asks = false
	s.run("errors", "redrive", queue, "--all", "--batches", "1", "--yes").want(t, exitFailed, append(said, "what fails again is parked behind it, and not seen")...)
	s.run("errors", "redrive", queue, "--all", "--yes").want(t, exitFailed, append(said, "redriven in")...)
	if moved := amqptest.Depth(t, queue); moved < before-1 {
		t.Errorf("%d are redriven, want at least %d", moved, before-1)
	}
}
