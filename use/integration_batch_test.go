package use_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/monitoring/monitoringtest"
	"github.com/bunnicula-go/bunnicula/publisher"
	"github.com/bunnicula-go/bunnicula/use"
)

// publishAll declares the queues of a consumer that has not begun, and publishes to its main queue.
func publishAll(t *testing.T, conn *connection.Connection, spec consumer.Spec, bodies []string) {
	t.Helper()
	c, err := consumer.New(conn, spec, monitoring.Nop{}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	c.Pause()
	if err := c.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := c.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	pub, err := publisher.New(conn, publisher.Config{Codec: publisher.Raw}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = pub.Stop(context.WithoutCancel(t.Context())) }()
	batch := make([]publisher.Message, len(bodies))
	for i, body := range bodies {
		batch[i] = publisher.Message{RoutingKey: spec.Queue, Payload: []byte(body)}
	}
	if err := pub.PublishBatch(t.Context(), batch...); err != nil {
		t.Fatal(err)
	}
}

func connect(t *testing.T) *connection.Connection {
	t.Helper()
	conn, err := connection.New(connection.Config{URL: amqptest.URL(t), Name: "batch"}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Stop(context.Background()) })
	return conn
}

// drained returns the bodies of a queue, sorted.
func drained(t *testing.T, queue string) []string {
	t.Helper()
	all := []string{}
	for _, d := range amqptest.Drain(t, queue) {
		all = append(all, string(d.Body))
	}
	slices.Sort(all)
	return all
}

func TestOfABatchJustTheRowsThatFailAreRetriedAndParked(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	conn := connect(t)
	var b batches
	spec := consumer.Spec{
		Queue: amqptest.Queue(t, "batch"), Concurrency: 40, Backoff: []time.Duration{time.Hour},
		Handler: use.Batch(20, 100*time.Millisecond, b.run),
	}
	var all, bad, later []string
	for i := range 130 {
		switch {
		case i%10 == 3:
			bad = append(bad, fmt.Sprintf("bad-%03d", i))
			all = append(all, bad[len(bad)-1])
		case i%10 == 7:
			later = append(later, fmt.Sprintf("later-%03d", i))
			all = append(all, later[len(later)-1])
		default:
			all = append(all, fmt.Sprintf("good-%03d", i))
		}
	}
	publishAll(t, conn, spec, all)
	var seen monitoringtest.Recorder
	c, err := consumer.New(conn, spec, &seen, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(ctx); err != nil {
		t.Fatal(err)
	}
	if err := seen.Wait(ctx, len(all)); err != nil {
		t.Fatal(err)
	}
	if err := c.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	if n := amqptest.Depth(t, spec.Queue); n != 0 {
		t.Errorf("%d messages are left", n)
	}
	if got := drained(t, spec.Queue+"-retry-1h"); !slices.Equal(got, later) {
		t.Errorf("%q are retried, want %q", got, later)
	}
	if got := drained(t, spec.Queue+"-error"); !slices.Equal(got, bad) {
		t.Errorf("%q are parked, want %q", got, bad)
	}
	if len(b.calls) > 13 { // 7 full ones, and some that two workers have filled in turns
		t.Errorf("the function was called %d times for %d messages", len(b.calls), len(all))
	}
}

// killerSpec is the same in the test and in the process that it starts.
func killerSpec(queue string) consumer.Spec {
	return consumer.Spec{
		Queue: queue, MaxCrashes: 3, Concurrency: 10, Backoff: []time.Duration{time.Hour},
		Handler: use.Batch(5, 50*time.Millisecond, func(_ context.Context, all []consumer.Delivery) []consumer.Result {
			var bodies []string
			for _, d := range all {
				bodies = append(bodies, string(d.Body))
			}
			fmt.Println("batch", strings.Join(bodies, " "))
			if slices.Contains(bodies, "killer") {
				os.Exit(3)
			}
			return acks(len(all))
		}),
	}
}

// TestBatchProcess is no test: it is the process that TestAKillerInABatchIsParkedAlone starts again
// each time that it dies.
func TestBatchProcess(t *testing.T) {
	queue := os.Getenv("BUNNICULA_TEST_BATCH")
	if queue == "" {
		t.Skip("only as a child of TestAKillerInABatchIsParkedAlone")
	}
	c, err := consumer.New(connect(t), killerSpec(queue), monitoring.Nop{}, slog.New(slog.DiscardHandler))
	if err == nil {
		err = c.Start(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, os.Stdin) // until the test closes it
	if err := c.Stop(context.Background()); err != nil {
		t.Error(err)
	}
}

// After two deaths of its process a message is handled alone, so its batch has no other. The third
// one parks it, after a hearing of ten seconds, for which only the long test waits.
func TestAKillerInABatchIsParkedAlone(t *testing.T) {
	t.Parallel()
	conn := connect(t)
	spec := killerSpec(amqptest.Queue(t, "batch-killer"))
	var all []string
	for i := range 20 {
		all = append(all, fmt.Sprint("innocent-", i))
	}
	all[7] = "killer"
	publishAll(t, conn, spec, all)
	handled := map[string]int{}
	var killed []string // the batches over which the process died
	for range 10 {
		batches, code := batchProcess(t, spec.Queue)
		for _, b := range batches {
			for _, body := range strings.Fields(b) {
				handled[body]++
			}
		}
		if code != 3 {
			break
		}
		if killed = append(killed, batches[len(batches)-1]); testing.Short() && len(killed) == spec.MaxCrashes {
			break
		}
	}
	if len(killed) != spec.MaxCrashes {
		t.Fatalf("the process died over %q, want %d deaths", killed, spec.MaxCrashes)
	}
	for i, b := range killed {
		if alone := b == "killer"; alone != (i == 2) {
			t.Errorf("death %d was over the batch %q", i+1, b)
		}
	}
	if testing.Short() {
		return
	}
	for _, body := range all {
		if handled[body] == 0 {
			t.Errorf("%s was not handled", body)
		}
	}
	if got := drained(t, spec.Queue+"-error"); !slices.Equal(got, []string{"killer"}) {
		t.Errorf("%q are parked, want the killer", got)
	}
	for _, suffix := range []string{"", "-retry-1h", "-quarantine"} {
		if n := amqptest.Depth(t, spec.Queue+suffix); n != 0 {
			t.Errorf("queue %s%s has %d messages, want none", spec.Queue, suffix, n)
		}
	}
}

// batchProcess runs the process until it dies, or has nothing left to do. It returns the batches
// that its function was called with, and the exit code.
func batchProcess(t *testing.T, queue string) (batches []string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestBatchProcess$")
	cmd.Env = append(os.Environ(), "BUNNICULA_TEST_BATCH="+queue)
	out, err := cmd.StdoutPipe()
	in, err2 := cmd.StdinPipe()
	if err := errors.Join(err, err2); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	over := make(chan struct{})
	go func() { // once the killer is parked the process lives on, and is told to stop
		defer close(over)
		for ctx.Err() == nil {
			if amqptest.Depth(t, queue+"-error") == 1 && amqptest.Depth(t, queue) == 0 && amqptest.Depth(t, queue+"-quarantine") == 0 {
				_ = in.Close()
			}
			select {
			case <-ctx.Done():
			case <-time.After(50 * time.Millisecond):
			}
		}
	}()
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if b, ok := strings.CutPrefix(lines.Text(), "batch "); ok {
			batches = append(batches, b)
		}
	}
	_ = cmd.Wait()
	cancel()
	<-over
	return batches, cmd.ProcessState.ExitCode()
}
