package main

import (
	"context"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/examples/internal/drill/drilltest"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/topology"
)

func TestEveryConversationIsImportedOrParked(t *testing.T) {
	i := newImporting(t, "-n", "220", "-failure-rate", "0.4", "-crash-rate", "0.1", "-keep")
	code, out, _ := i.run(t, t.Context())
	if code != exitOK {
		t.Errorf("exit code %d", code)
	}
	drilltest.MustContain(t, out, "= 230 published: every conversation is accounted for",
		"404 Not Found", "401 Unauthorized", "retries-exhausted", "handled again after they were imported")
	for _, p := range i.accounted(t) {
		switch p.Reason {
		case "error", "retries-exhausted", "timeout", "panic":
		default:
			t.Errorf("%s is parked with the reason %q: %s", p.ID, p.Reason, p.Error)
		}
		if p.Reason != "error" && p.Attempts != i.Retries+1 {
			t.Errorf("%s is parked after %d attempts, want %d", p.ID, p.Attempts, i.Retries+1)
		}
	}
}

func TestNothingIsLeftBehind(t *testing.T) {
	i := newImporting(t, "-n", "30")
	if code, _, _ := i.run(t, t.Context()); code != exitOK {
		t.Errorf("exit code %d", code)
	}
	queues := []string{i.Prefix + "-lock"}
	for _, queue := range []string{i.HistoryQueue(), i.ConversationQueue()} {
		its, err := topology.New(topology.Plan{Queue: queue, Delays: slices.Concat([]time.Duration{20 * time.Millisecond, 50 * time.Millisecond}, topology.Ladder)})
		if err != nil {
			t.Fatal(err)
		}
		queues = append(queues, its.Names()...)
	}
	for _, queue := range queues {
		if amqptest.Exists(t, queue) {
			t.Errorf("queue %s is still there", queue)
		}
	}
	if _, err := os.Stat(i.State); !os.IsNotExist(err) {
		t.Errorf("the file is still there: %v", err)
	}
}

func TestTheSmallAccountDoesNotWaitForTheBigOne(t *testing.T) {
	amqptest.Long(t) // package use has a shorter one
	i := newImporting(t, "-n", "130", "-small", "5", "-rate", "10", "-failure-rate", "0", "-crash-rate", "0", "-timeout", "10s", "-keep")
	i.listed(t, bigAccount)
	code, out, _ := i.run(t, t.Context())
	if code != exitOK {
		t.Errorf("exit code %d", code)
	}
	i.accounted(t)
	big, small := summaryOf(t, out, bigAccount), summaryOf(t, out, smallAccount)
	if small.behind < 100 {
		t.Errorf("the small account was behind %d conversations of the big one, want 100 or more", small.behind)
	}
	if took := small.done - small.listed; took > 3*time.Second || small.done >= big.done {
		t.Errorf("the small account took %s behind the big one, and was done after %s; the big one after %s", took, small.done, big.done)
	}
	i.hardlyRefused(t, out)
}

// The rate is so low that also a slow machine is faster, and some have to wait for their turn.
func TestRequestsWithinTheLimitAreNotRefused(t *testing.T) {
	i := newImporting(t, "-n", "12", "-rate", "5", "-failure-rate", "0", "-crash-rate", "0", "-retries", "0", "-timeout", "10s", "-keep")
	code, out, _ := i.run(t, t.Context())
	if code != exitOK || strings.Contains(out, "snoozed    0") {
		t.Errorf("exit code %d, or none has snoozed", code)
	}
	for _, account := range i.Accounts() {
		s := summaryOf(t, out, account)
		want := len(i.account(account).Conversations) + 1 // a page; and each is asked for once
		if s.refused != 0 || s.requests != want {
			t.Errorf("%s: %d of %d requests were refused, want 0 of %d", account, s.refused, s.requests, want)
		}
	}
	i.parkedForGood(t)
}

// hardlyRefused checks that less than 1 % of the requests were refused.
func (i importing) hardlyRefused(t *testing.T, out string) {
	t.Helper()
	for _, account := range i.Accounts() {
		if s := summaryOf(t, out, account); s.refused*100 >= s.requests {
			t.Errorf("%s: %d of %d requests were refused", account, s.refused, s.requests)
		}
	}
}

// Seven requests within 2.5 s are more than the API takes.
func TestWhatTheAPIRefusesSnoozes(t *testing.T) {
	i := newImporting(t, "-n", "6", "-small", "0", "-rate", "2", "-limit", "500", "-failure-rate", "0", "-crash-rate", "0", "-retries", "0", "-timeout", "10s", "-keep")
	code, out, _ := i.run(t, t.Context())
	if code != exitOK {
		t.Errorf("exit code %d", code)
	}
	if s := summaryOf(t, out, bigAccount); s.refused == 0 || s.requests < 6+s.refused {
		t.Errorf("%d of %d requests were refused, want some", s.refused, s.requests)
	}
	i.parkedForGood(t)
}

// parkedForGood checks that each conversation is accounted for, and that none is parked but for
// what the API says of it. What snoozes uses no attempt.
func (i importing) parkedForGood(t *testing.T) {
	t.Helper()
	for _, p := range i.accounted(t) {
		if p.Reason != "error" {
			t.Errorf("%s is parked with the reason %q: a snooze used its attempt", p.ID, p.Reason)
		}
	}
}

func TestAStoppedImportGoesOn(t *testing.T) {
	i := newImporting(t, "-n", "150", "-rate", "60", "-keep")
	ctx, stop := context.WithCancel(t.Context())
	go func() {
		defer stop()
		i.wait(t, 20)
	}()
	code, _, complaint := i.run(t, ctx)
	if code != exitStopped {
		t.Errorf("exit code %d, want %d", code, exitStopped)
	}
	drilltest.MustContain(t, complaint, "the same command goes on from here")
	if n := i.imported(t); n < 20 || n == i.all() {
		t.Fatalf("%d imported before the stop", n)
	}
	if code, _, _ := i.run(t, t.Context(), "-rate", "2000"); code != exitOK {
		t.Errorf("exit code %d of the second start", code)
	}
	i.accounted(t)
}

func TestAKilledImportGoesOn(t *testing.T) {
	i := newImporting(t, "-n", "150", "-rate", "60", "-keep")
	program := exec.CommandContext(t.Context(), os.Args[0], i.args...)
	if err := program.Start(); err != nil {
		t.Fatal(err)
	}
	i.wait(t, 20)
	if err := program.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = program.Wait() // it was killed
	code := exitFailed
	amqptest.Eventually(t, 10*time.Second, func() bool { // the broker has to notice that it is gone
		var complaint string
		code, _, complaint = i.run(t, t.Context(), "-rate", "2000")
		return !strings.Contains(complaint, "is running")
	}, "the lock of the killed process stayed")
	if code != exitOK {
		t.Errorf("exit code %d of the second start", code)
	}
	i.accounted(t)
}

func TestALostConnectionLosesNothing(t *testing.T) {
	i := newImporting(t, "-n", "200", "-rate", "150", "-keep")
	proxy := amqptest.NewProxy(t, i.URL)
	cut := make(chan struct{})
	go func() {
		defer close(cut)
		for _, imported := range []int{10, 60, 120} {
			i.wait(t, imported)
			proxy.Cut()
		}
	}()
	code, out, _ := i.run(t, t.Context(), "-url", proxy.URL())
	if code != exitOK {
		t.Errorf("exit code %d", code)
	}
	<-cut
	i.accounted(t)
	i.hardlyRefused(t, out)
}

func TestRedrivenMessagesAreImportedByANewStart(t *testing.T) {
	i := newImporting(t, "-n", "40", "-failure-rate", "0.8", "-retries", "0", "-keep")
	if code, _, _ := i.run(t, t.Context()); code != exitOK {
		t.Fatalf("exit code %d", code)
	}
	parked := 0
	for _, d := range amqptest.Drain(t, i.ConversationQueue()+"-error") {
		parked++
		amqptest.Publish(t, "", i.ConversationQueue(), amqp.Publishing{MessageId: d.MessageId, Body: d.Body})
	}
	if parked < 10 {
		t.Fatalf("%d parked, want most", parked)
	}
	if code, _, _ := i.run(t, t.Context(), "-failure-rate", "0"); code != exitOK {
		t.Errorf("exit code %d of the second start", code)
	}
	if again := i.accounted(t); len(again) >= parked {
		t.Errorf("%d parked at first, %d after the second start", parked, len(again))
	}
}

func TestMissingConversationsAreNamed(t *testing.T) {
	i := newImporting(t, "-n", "20", "-rate", "2", "-failure-rate", "0")
	thief := amqptest.Channel(t)
	go func() {
		i.wait(t, 4)
		for _, delay := range topology.Ladder {
			_, _ = thief.QueuePurge(topology.RetryQueue(i.ConversationQueue(), delay), false) // the import notices a failure
		}
	}()
	code, out, complaint := i.run(t, t.Context())
	if code != exitFailed {
		t.Errorf("exit code %d, want %d", code, exitFailed)
	}
	drilltest.MustContain(t, out, "missing: acme-00")
	drilltest.MustContain(t, complaint, "not every conversation is accounted for")
	if !amqptest.Exists(t, i.ConversationQueue()) {
		t.Error("the queues were deleted")
	}
}

func TestAHistoryThatCannotBeHadEndsTheImport(t *testing.T) {
	i := newImporting(t, "-n", "40", "-failure-rate", "1", "-timeout", "20ms")
	code, out, complaint := i.run(t, t.Context())
	if code != exitFailed {
		t.Errorf("exit code %d, want %d", code, exitFailed)
	}
	drilltest.MustContain(t, complaint, "page-1 of the history was parked")
	drilltest.MustContain(t, out, "conversations were never published")
}

func TestMessagesOfAnotherImportAreNotTouched(t *testing.T) {
	i := newImporting(t, "-n", "5", "-keep")
	if code, _, _ := i.run(t, t.Context()); code != exitOK {
		t.Fatalf("exit code %d", code)
	}
	amqptest.Publish(t, "", i.ConversationQueue(), amqp.Publishing{Body: []byte(`{"account":"acme","id":"acme-0001"}`)})
	if err := os.Remove(i.State); err != nil {
		t.Fatal(err)
	}
	code, _, complaint := i.run(t, t.Context())
	if code != exitFailed {
		t.Errorf("exit code %d, want %d", code, exitFailed)
	}
	drilltest.MustContain(t, complaint, "of another import", "-fresh")
	if amqptest.Depth(t, i.ConversationQueue()) != 1 {
		t.Error("the message is gone")
	}
	if code, _, _ := i.run(t, t.Context(), "-fresh"); code != exitOK {
		t.Errorf("exit code %d with -fresh", code)
	}
	i.accounted(t)
}

func TestTwoImportsWithTheSameQueuesAreRefused(t *testing.T) {
	i := newImporting(t, "-n", "5")
	lock := amqptest.Channel(t)
	if _, err := lock.QueueDeclare(i.Prefix+"-lock", false, true, true, false, nil); err != nil {
		t.Fatal(err)
	}
	code, _, complaint := i.run(t, t.Context())
	if code != exitFailed {
		t.Errorf("exit code %d, want %d", code, exitFailed)
	}
	drilltest.MustContain(t, complaint, "is running")
}

func TestALockThatIsGivenUpInAMomentIsWaitedFor(t *testing.T) {
	i := newImporting(t, "-n", "5")
	conn := amqptest.Dial(t)
	lock, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lock.QueueDeclare(i.Prefix+"-lock", false, true, true, false, nil); err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(200*time.Millisecond, func() { _ = conn.Close() })
	if code, _, _ := i.run(t, t.Context()); code != exitOK {
		t.Errorf("exit code %d", code)
	}
}

func TestAWrongPasswordIsAnErrorAtOnce(t *testing.T) {
	i := newImporting(t)
	code, _, complaint := i.run(t, t.Context(), "-url", strings.Replace(i.URL, "@", "wrong@", 1))
	if code != exitFailed {
		t.Errorf("exit code %d, want %d", code, exitFailed)
	}
	drilltest.MustContain(t, complaint, "ACCESS_REFUSED")
	if strings.Contains(complaint, "wrong") {
		t.Error("the password is shown")
	}
}
