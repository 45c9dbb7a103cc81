//go:build unix

package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/errorqueue"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/internal/wire"
	"github.com/bunnicula-go/bunnicula/topology"
)

const manyByDefault = 5000

var many = flag.Int("many", manyByDefault, "messages in the tests of bulk, such as 100000; 1500 with -short")

// bulk is how many messages the tests of bulk have: -many, or less with -short.
func bulk() int {
	if testing.Short() && *many == manyByDefault {
		return 1500
	}
	return *many
}

const sorts = 40 // of failures

// parkMany parks n messages of 40 sorts, of which 12 belong to one user.
func parkMany(t *testing.T, n int) (queue string) {
	t.Helper()
	queue = amqptest.Queue(t, "orders")
	topo, err := topology.New(topology.Plan{Queue: queue})
	if err != nil {
		t.Fatal(err)
	}
	ch := amqptest.Channel(t)
	if err := topo.Declare(ch); err != nil {
		t.Fatal(err)
	}
	if err := ch.Confirm(false); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		tenant := "acme"
		if i%(n/12) == n/24 {
			tenant = "special"
		}
		confirm, err := ch.PublishWithDeferredConfirm("", queue+"-error", true, false, amqp.Publishing{
			DeliveryMode: amqp.Persistent, MessageId: fmt.Sprintf("m%06d", i), Body: fmt.Appendf(nil, `{"n": %d, "text": %q}`, i, strings.Repeat("x", 500)),
			Headers: amqp.Table{
				"tenant": tenant, wire.Reason: "timeout", wire.ErrorType: fmt.Sprintf("*app.Error%d", i%8), wire.Error: fmt.Sprintf("error %d of %d", i%sorts, i),
				wire.ErrorGroup: fmt.Sprintf("group-%02d", i%sorts), wire.Queue: queue, wire.FailedAt: "2026-11-01T10:00:00Z",
				wire.Stack: strings.Repeat("frame\n", 100), wire.RetryAttempts: int64(3),
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		if i%1000 == 999 || i == n-1 {
			if ok, err := confirm.WaitContext(t.Context()); err != nil || !ok {
				t.Fatalf("message %d is not confirmed: %v", i, err)
			}
		}
	}
	amqptest.Eventually(t, time.Minute, func() bool { return amqptest.Depth(t, queue+"-error") == n }, "not all are parked")
	return queue
}

// build builds the command, once.
var build = sync.OnceValues(func() (file string, err error) {
	file = filepath.Join(scratch, "bunnicula")
	if out, err := exec.Command("go", "build", "-ldflags=-w", "-o", file, ".").CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return file, nil
})

// built returns the file of the command as it is installed.
func built(t *testing.T) string {
	t.Helper()
	file, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// process is the command as it is installed.
func process(t *testing.T, file string, args ...string) (cmd *exec.Cmd, out, errs *strings.Builder) {
	t.Helper()
	cmd = exec.CommandContext(t.Context(), file, args...)
	out, errs = &strings.Builder{}, &strings.Builder{}
	cmd.Stdout, cmd.Stderr = out, errs
	cmd.Env = append(os.Environ(), "AMQP_URL="+amqptest.URL(t), "GODEBUG=gctrace=1")
	return cmd, out, errs
}

var collection = regexp.MustCompile(`(?m)^gc \d+ .*?, \d+->(\d+)->\d+ MB`)

// heap returns the largest heap, in MB, that the process's garbage collector has logged.
func heap(errs string) (most int) {
	for _, m := range collection.FindAllStringSubmatch(errs, -1) {
		n, _ := strconv.Atoi(m[1]) // digits
		most = max(most, n)
	}
	return most
}

// measured runs the command to its end, and logs its time and memory.
func (s *shell) measured(file string, n int, report any, args ...string) {
	s.t.Helper()
	cmd, out, errs := process(s.t, file, append(args, "--json")...)
	began := time.Now()
	err := cmd.Run()
	took := time.Since(began)
	if err != nil {
		s.t.Fatalf("%q: %v\n%s%s", args, err, out, errs)
	}
	if err := json.Unmarshal([]byte(out.String()), report); err != nil {
		s.t.Fatalf("%q: %v\n%s", args, err, out)
	}
	// Linux counts in KiB.
	resident := cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss >> 10
	s.t.Logf("%s: %d messages in %v, %.0f a second; heap %d MB at most, process %d MB", strings.Join(args[:2], " "), n, took.Round(time.Millisecond), float64(n)/took.Seconds(), heap(errs.String()), resident)
	if h := heap(errs.String()); h > 64 {
		s.t.Errorf("%q: the heap had %d MB", args, h)
	}
	if took > 2*sayEvery && !strings.Contains(errs.String(), fmt.Sprintf("/%d read", n)) {
		s.t.Errorf("%q: it took %v and said nothing of how far it is", args, took)
	}
}

// deliveries returns how often the second message was given back, 0 if the broker does not count
// (RabbitMQ 4.3). The first one is given back more often, to find out whether the limit is near.
func (s *shell) deliveries(queue string) int {
	s.t.Helper()
	var m struct{ Deliveries int }
	out := s.run("errors", "ls", queue, "--limit", "2", "--json").want(s.t, exitOK).out
	for line := range strings.Lines(out) {
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			s.t.Fatal(err)
		}
	}
	return m.Deliveries
}

func TestManyAreCountedAndAFewOfThemRedrivenInOnePassAndLittleMemory(t *testing.T) {
	t.Parallel()
	n := bulk() / sorts * sorts
	queue := parkMany(t, n)
	s, file := online(t), built(t)
	before := s.deliveries(queue)
	count := func(want int) {
		t.Helper()
		var groups errorqueue.GroupReport
		s.measured(file, want, &groups, "errors", "groups", queue)
		if groups.Messages != want || len(groups.Groups) != sorts || groups.Other != 0 || groups.Incomplete {
			t.Errorf("%d messages of %d sorts", groups.Messages, len(groups.Groups))
		}
		sum := 0
		for _, g := range groups.Groups {
			sum += g.Count
			if g.Count > n/sorts || g.Count < n/sorts-12 {
				t.Errorf("%s has %d messages, want %d", g.Key, g.Count, n/sorts)
			}
		}
		if sum != want {
			t.Errorf("the groups have %d messages together, want %d", sum, want)
		}
	}
	count(n)
	var redriven errorqueue.RedriveReport
	s.measured(file, n, &redriven, "errors", "redrive", queue, "header.tenant=special", "--yes")
	if redriven.Moved != 12 || redriven.Rounds != 1 || redriven.Failed != 0 {
		t.Errorf("redriven: %+v", redriven)
	}
	// The call of deliveries before was a reading too.
	if after := s.deliveries(queue); after > 0 && after-before-1 != 2 {
		passes := after - before - 1
		t.Errorf("groups and redrive made %d passes, want one each", passes)
	}
	depths(t, queue, n-12, 12)
	count(n - 12)
}

func TestARedriveThatIsKilledAtAnyMomentLosesNothing(t *testing.T) {
	t.Parallel()
	const window = 100
	kills, n := 10, *many/sorts*sorts
	if testing.Short() {
		kills = 3
	}
	queue := parkMany(t, n)
	file := built(t)
	args := []string{"errors", "redrive", queue, "--all", "--yes", "--rate", strconv.Itoa(max(n/5, 1000))}
	for i := range kills {
		before := amqptest.Depth(t, queue)
		cmd, _, errs := process(t, file, args...)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		if i%2 == 0 { // otherwise at any time, such as at its beginning
			amqptest.Eventually(t, time.Minute, func() bool { return amqptest.Depth(t, queue) > before }, "nothing is moved")
		}
		select {
		case err := <-ended:
			t.Fatalf("it ended before it was killed: %v\n%s", err, errs)
		case <-time.After(rand.N(250 * time.Millisecond)): // the time of the kill
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		if err := <-ended; err == nil {
			t.Fatal("it ended by itself")
		}
		amqptest.Eventually(t, 20*time.Second, func() bool { return amqptest.Depth(t, queue)+amqptest.Depth(t, queue+"-error") >= n }, "what it held is not back")
	}
	// A message that was published and not acked is in both queues. So the sum of the depths does
	// not show that the messages of the last redrive are back.
	amqptest.Eventually(t, 20*time.Second, func() bool { return unacked(t, queue+"-error") == "0" }, "the broker still holds what was delivered to the last one")
	moved := amqptest.Depth(t, queue)
	cmd, out, errs := process(t, file, args...)
	if err := cmd.Run(); err != nil {
		t.Fatalf("the last one: %v\n%s%s", err, out, errs)
	}
	depth := amqptest.Depth(t, queue)
	seen := map[string]bool{}
	ch := amqptest.Channel(t)
	if err := ch.Qos(1000, 0, false); err != nil {
		t.Fatal(err)
	}
	deliveries, err := ch.Consume(queue, "counts", false, false, false, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	for range depth {
		select {
		case d := <-deliveries:
			seen[d.MessageId] = true
			if err := d.Ack(false); err != nil {
				t.Fatal(err)
			}
		case <-time.After(20 * time.Second):
			t.Fatal("the main queue delivers nothing")
		}
	}
	twice := depth - len(seen)
	if parked := amqptest.Depth(t, queue+"-error"); parked != 0 || len(seen) != n || twice > kills*window {
		t.Errorf("%d of %d messages are in the main queue, %d are parked, %d are there twice, want at most %d", len(seen), n, parked, twice, kills*window)
	}
	t.Logf("%d kills while %d of %d were moved: none lost, %d duplicates", kills, moved, n, twice)
}

// unacked returns how many messages of a queue are delivered and not acked, as rabbitmqctl counts
// them.
func unacked(t *testing.T, queue string) string {
	t.Helper()
	for line := range strings.Lines(amqptest.Ctl(t, "list_queues", "name", "messages_unacknowledged")) {
		if f := strings.Fields(line); len(f) == 2 && f[0] == queue {
			return f[1]
		}
	}
	return ""
}
