package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/internal/wire"
	"github.com/bunnicula-go/bunnicula/topology"
)

// failed are kinds of failures, as consumers record them.
var failed = []struct {
	reason, kind, text, group string
	ago                       time.Duration
}{
	{"timeout", "*net.OpError", "dial tcp 10.0.0.7:5432: connect: connection refused", "4be1c09d2a7f3e85", 50*time.Hour + 20*time.Minute},
	{"retries-exhausted", "*fmt.wrapError", "charge: payment API: 503 Service Unavailable, and a text that is longer than a line of a terminal has room for", "77aa01f3c9d25b10", 2*time.Hour + 30*time.Minute + 30*time.Second},
	{"panic", "runtime.boundsError", "index out of range\x1b[2J [3] with length 3", "0c11d8e9f7a6b524", 25*time.Hour + 30*time.Minute},
}

// park puts n messages into the error queue of a consumer whose queues it declares: half of the
// first kind, a third of the second kind, the rest of the third kind.
func park(t *testing.T, n int) (queue string) {
	t.Helper()
	queue = amqptest.Queue(t, "orders", "-archive")
	topo, err := topology.New(topology.Plan{Queue: queue, Delays: []time.Duration{time.Minute}})
	if err != nil {
		t.Fatal(err)
	}
	ch := amqptest.Channel(t)
	if err := topo.Declare(ch); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		publishParked(t, ch, queue, i)
	}
	amqptest.Eventually(t, 10*time.Second, func() bool { return amqptest.Depth(t, queue+"-error") == n }, "not all are parked")
	return queue
}

func publishParked(t *testing.T, ch *amqp.Channel, queue string, i int) {
	t.Helper()
	f := failed[[]int{0, 1, 0, 1, 0, 2}[i%6]]
	at := time.Now().Add(-f.ago).UTC().Format(time.RFC3339)
	headers := amqp.Table{
		"tenant": "acme", "try\x1b[31m": int32(i),
		wire.RetryAttempts: int64(3), wire.Reason: f.reason, wire.Error: f.text, wire.ErrorType: f.kind,
		wire.ErrorGroup: f.group, wire.Queue: queue, wire.Consumer: queue, wire.App: "shop", wire.AppVersion: "v1.2.0", wire.Host: "worker-1",
		wire.FailedAt: at, wire.FirstFailedAt: "2026-11-01T09:00:00Z",
		wire.History:          `[{"at":"2026-11-01T10:00:00Z","attempt":4,"reason":"timeout","error":"late","host":"worker-1","ms":1500}]`,
		wire.OriginalExchange: "shop", wire.OriginalRoutingKey: "order.placed",
	}
	if f.reason == "panic" {
		headers[wire.Stack] = "main.handle(0x1)\n\t/app/main.go:42\n"
	}
	err := ch.PublishWithContext(t.Context(), "", queue+"-error", true, false, amqp.Publishing{
		DeliveryMode: amqp.Persistent, MessageId: fmt.Sprintf("order-%03d", i), ContentType: "application/json", Timestamp: time.Unix(1_800_000_000, 0),
		Body: fmt.Appendf(nil, `{"number":%d,"user":{"id":%d,"name":"Jane Doe"}}`, i, i%2), Headers: headers,
	})
	if err != nil {
		t.Fatal(err)
	}
}

// unvarying are replacements for compare, for text that differs from run to run.
func unvarying(queue, text string) []string {
	replace := []string{queue, placeholder}
	for _, pattern := range []string{`in [0-9.]+m?s`, `[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f-]{21}`, `"took": [0-9]+`, `20\d\d-[0-9-]+[T ][0-9:]+Z`} {
		for _, found := range regexp.MustCompile(pattern).FindAllString(text, -1) {
			if found != "2026-11-01T09:00:00Z" && found != "2026-11-01 09:00:00Z" {
				replace = append(replace, found, map[bool]string{true: "in TIME", false: "VARIES"}[strings.HasPrefix(found, "in ")])
			}
		}
	}
	// Only some brokers count readings as deliveries.
	for _, found := range regexp.MustCompile(`(?m)^ *"?deliveries[": ]+[0-9]+,?\n|"deliveries":[0-9]+,`).FindAllString(text, -1) {
		replace = append(replace, found, "")
	}
	return replace
}

func depths(t *testing.T, queue string, parked, main int) {
	t.Helper()
	if p, m := amqptest.Depth(t, queue+"-error"), amqptest.Depth(t, queue); p != parked || m != main {
		t.Errorf("%d are parked and %d in the main queue, want %d and %d", p, m, parked, main)
	}
}

// mark005 is the mark of order-005.
const mark005 = "1c6235dee68bae80d49ad5618e73664b"

func TestWhatIsParkedIsShownAndStaysAsItIs(t *testing.T) {
	t.Parallel()
	const n = 12
	queue := park(t, n)
	s := online(t)
	for _, test := range []struct {
		golden string
		args   []string
	}{
		{"errors-groups.txt", []string{"groups", queue}},
		{"errors-groups-terminal.txt", []string{"groups", queue}},
		{"errors-groups-reason.txt", []string{"groups", queue + "-error", "--by", "reason", "older=24h"}},
		{"errors-groups.json", []string{"groups", queue, "--json", "reason=panic"}},
		{"errors-ls.txt", []string{"ls", queue, "--limit", "3"}},
		{"errors-ls-marks.txt", []string{"ls", queue, "--marks", "mark=" + mark005, "after=2026-01-01", "before=2100-01-01"}},
		{"errors-ls-terminal.txt", []string{"ls", queue}},
		{"errors-ls.json", []string{"ls", queue, "--json", "body.user.name=Jane Doe", "reason=panic"}},
		{"errors-show.txt", []string{"show", queue, "reason=panic"}},
		{"errors-show.json", []string{"show", queue, "order-005", "--json"}},
		{"errors-redrive-dry.txt", []string{"redrive", queue, "reason=timeout,panic", "--dry-run"}},
		{"errors-redrive-dry.json", []string{"redrive", queue, "--all", "--dry-run", "--json"}},
		{"errors-discard-dry.txt", []string{"discard", queue, "--group", "4be1c09d2a7f3e85", "--dry-run"}},
	} {
		s.shows = strings.HasSuffix(test.golden, "terminal.txt")
		r := s.run(append([]string{"errors"}, test.args...)...).want(t, exitOK)
		compare(t, test.golden, r.out, unvarying(queue, r.out)...)
		if strings.Contains(r.out, "\x1b") {
			t.Errorf("%q prints what a terminal obeys: %q", test.args, r.out)
		}
		for line := range strings.Lines(r.out) {
			if w := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); s.shows && w > lineWidth {
				t.Errorf("%q: a line of %d: %s", test.args, w, line)
			}
		}
	}
	if one := s.run("errors", "show", queue, "order-005").want(t, exitOK); !strings.Contains(one.out, "order-005") {
		t.Errorf("by its id another is shown:\n%s", one.out)
	}
	depths(t, queue, n, 0)
	for i := range n { // in their order
		if d := amqptest.Get(t, queue+"-error"); d.MessageId != fmt.Sprintf("order-%03d", i) {
			t.Errorf("message %d is %s", i, d.MessageId)
		}
	}
}

func TestWhatIsAskedForIsRedrivenAndNothingElse(t *testing.T) {
	t.Parallel()
	queue := park(t, 12)
	s := online(t)
	s.run("errors", "redrive", queue, "reason=panic").want(t, exitRefused, "say --yes")
	s.asks, s.in = true, "no\n"
	s.run("errors", "redrive", queue, "reason=panic").want(t, exitRefused, "Redrive 2 messages from "+queue+"-error?", "not done")
	depths(t, queue, 12, 0)

	s.in = "yes\n"
	r := s.run("errors", "redrive", queue, "reason=panic").want(t, exitOK, "2 messages of "+queue+"-error redriven in ")
	compare(t, "errors-redrive.txt", r.err+r.out, unvarying(queue, r.err+r.out)...)
	depths(t, queue, 10, 2)
	if d := amqptest.Get(t, queue); d.MessageId != "order-005" || d.Headers[wire.Reason] != nil || d.Headers[wire.RedriveCount] != int64(1) {
		t.Errorf("got %s, %v", d.MessageId, d.Headers)
	}

	s.asks = false
	r = s.run("errors", "redrive", queue, "--id", "order-000", "--id", "order-001", "--yes", "--json").want(t, exitOK)
	compare(t, "errors-redrive.json", r.out, unvarying(queue, r.out)...)
	s.run("errors", "redrive", queue, "--all", "--limit", "3", "--yes").want(t, exitOK, "3 messages of ")
	depths(t, queue, 5, 6) // one was removed above
	s.run("errors", "redrive", queue, "id=none", "--yes").want(t, exitOK, "nothing to redrive")
	if r := s.run("errors", "redrive", queue, "--all", "--to", "nowhere", "--yes").want(t, exitFound, `--to is "nowhere"`, "nothing was moved"); r.out != "" {
		t.Errorf("nothing is known of what there is to redrive, and it says\n%s", r.out)
	}
	s.run("errors", "redrive", queue, "--all", "--yes", "--batches", "2", "--watch", "1ms").want(t, exitOK, "batch 1: 2 moved, 0 failed again", "batch 3: 1 moved")
	depths(t, queue, 0, 11)
}

// A message whose headers the client cannot read blocks no other message, and can be deleted.
func TestAMessageWithHeadersTooDeepStaysParked(t *testing.T) {
	t.Parallel()
	queue := park(t, 3)
	deep := amqp.Table{"end": "here"}
	for range 40 {
		deep = amqp.Table{"t": deep}
	}
	amqptest.Publish(t, "", queue+"-error", amqp.Publishing{MessageId: "deep", Headers: amqp.Table{"deep": deep, wire.Reason: "error", wire.Queue: queue}})
	publishParked(t, amqptest.Channel(t), queue, 3)
	amqptest.Eventually(t, 10*time.Second, func() bool { return amqptest.Depth(t, queue+"-error") == 5 }, "not all are parked")
	s := online(t)
	s.run("errors", "show", queue, "deep").want(t, exitOK, "nested too deep to be read")
	s.run("errors", "redrive", queue, "--all", "--yes").want(t, exitFailed, "4 messages of ", "not moved: 1 message with headers", "stay parked: discard --delete")
	depths(t, queue, 1, 4)
	s.run("errors", "discard", queue, "--all", "--yes").want(t, exitFailed, "nothing to discard", "stay parked")
	s.run("errors", "discard", queue, "--id", "deep", "--yes", "--delete").want(t, exitOK, "1 message of ")
	depths(t, queue, 0, 4)
}

// A consumer that parks everything again stops a redrive in batches.
func TestABatchThatFailsAgainStopsWithItsOwnExitCode(t *testing.T) {
	t.Parallel()
	queue := park(t, 12)
	ch := amqptest.Channel(t)
	deliveries, err := ch.Consume(queue, "fails", false, false, false, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for d := range deliveries {
			p := amqp.Publishing{MessageId: d.MessageId, Headers: d.Headers, Body: d.Body, DeliveryMode: d.DeliveryMode}
			p.Headers[wire.Reason] = "error"
			if ch.PublishWithContext(context.Background(), "", queue+"-error", true, false, p) != nil || d.Ack(false) != nil {
				return
			}
		}
	}()
	began := time.Now()
	r := online(t).run("errors", "redrive", queue, "--all", "--yes", "--batches", "3,100", "--watch", "1m").want(t, exitFound, "batch 1: 3 moved", "failed again", "too many failed again")
	if took := time.Since(began); took > 40*time.Second {
		t.Errorf("it went on watching: %s", took)
	}
	if err := ch.Close(); err != nil {
		t.Fatal(err)
	}
	<-ended
	if !strings.Contains(r.out, "3 messages of ") || !strings.Contains(r.out, "\n    order-000: error\n") {
		t.Errorf("the report is\n%s", r.out)
	}
	depths(t, queue, 12, 0)
}

func TestAQueueThatIsNotThereIsNamedAndNothingMoves(t *testing.T) {
	t.Parallel()
	queue := park(t, 6)
	s := online(t)
	none := amqptest.Queue(t, "none")
	s.run("errors", "groups", none).want(t, exitFailed, `queue "`+none+`-error": there is no such queue`, "--error-queue")
	s.run("errors", "redrive", queue, "--all", "--yes", "--to", none).want(t, exitFound, `--to is "`+none+`", and there is no such queue`, "nothing was moved")
	s.run("errors", "import", queue, s.exportOf(queue), "--to", none).want(t, exitFound, `--to is "`+none+`", and there is no such queue`)
	amqptest.Publish(t, "", queue+"-error", amqp.Publishing{MessageId: "stray", Headers: amqp.Table{wire.Queue: none, wire.Reason: "error"}})
	s.asks, s.in = true, "yes\n"
	s.run("errors", "redrive", queue, "--all").want(t, exitFound, none, "does not exist", "to which 1 message would go")
	s.run("errors", "groups", queue, "--by", "colour").want(t, exitUsage, `--by is "colour", want one of group`)
	s.run("errors", "redrive", queue, "--all", "--to", queue+"-error").want(t, exitUsage, "--to is", "another queue than the error queue")
	s.run("errors", "redrive", queue, "--all", "--rate", "-1").want(t, exitUsage, `--rate is "-1"`)
	if r := s.run("errors", "ls", queue, "--limit", "0", "id=none").want(t, exitOK); r.out+r.err != "" {
		t.Errorf("of nothing it lists %q, %q", r.out, r.err)
	}
	if r := s.run("errors", "redrive", queue, "--all", "--dry-run").want(t, exitFound, "does not exist"); strings.Count(r.out, "TO QUEUE") != 1 || !strings.Contains(r.out, none) {
		t.Errorf("the plan is\n%s", r.out)
	}
	s.run("errors", "show", queue, "order-999").want(t, exitFailed, "has no such message: id=order-999")
	depths(t, queue, 7, 0)
}

// exportOf writes a file of the parked messages.
func (s *shell) exportOf(queue string) string {
	s.t.Helper()
	name := filepath.Join(s.t.TempDir(), "export.jsonl")
	s.run("errors", "export", queue, "--output", name).want(s.t, exitOK, "messages of "+queue+"-error written to")
	return name
}

func TestWhatIsExportedIsImportedAgain(t *testing.T) {
	t.Parallel()
	const n = 6
	queue := park(t, n)
	s := online(t)
	name := s.exportOf(queue)
	s.run("errors", "export", queue, "--output", name).want(t, exitUsage, "--output is", "not there yet")
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if piped := s.run("errors", "export", queue, "--output", "-", "--json").want(t, exitOK, "6 messages of "); strings.Count(piped.out, "\n") != n+2 {
		t.Errorf("through a pipe it is %q", piped.out)
	}
	s.run("errors", "export", queue, "--output", filepath.Join(filepath.Dir(name), "none", "x")).want(t, exitFailed, "no such file")

	s.run("errors", "discard", queue, "--all", "--yes", "--delete").want(t, exitOK, "6 messages of ", "for good")
	depths(t, queue, 0, 0)
	s.run("errors", "import", queue, name, "--dry-run").want(t, exitOK, "6 messages of "+queue+"-error can be imported; nothing was done")
	depths(t, queue, 0, 0)
	s.in = string(text[:len(text)-10])
	cut := filepath.Join(filepath.Dir(name), "cut")
	for file, content := range map[string]string{cut: s.in, cut + "2": "id,name\n1,2\n"} {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s.run("errors", "import", queue, cut).want(t, exitFailed, "line 8")
	s.run("errors", "import", queue, cut+"2").want(t, exitUsage, "not an export of an error queue", "line 1")
	depths(t, queue, 0, 0)
	s.run("errors", "import", queue, name).want(t, exitOK, "6 of 6 messages imported into "+queue+"-error")
	depths(t, queue, n, 0)
	if again := s.run("errors", "export", queue, "--output", "-").want(t, exitOK); !slices.Equal(linesOf(string(text))[1:], linesOf(again.out)[1:]) {
		t.Errorf("it was\n%s\nand is\n%s", text, again.out)
	}
}

func TestAFileThatCannotBeWrittenIsTakenAway(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "f")
	full := errors.New("no room")
	half := func(w io.Writer) error {
		_, _ = io.WriteString(w, "half")
		return full
	}
	if err := writeFile(name, half); !errors.Is(err, full) {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(name); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it is there: %v", err)
	}
	if err := writeFile(name, func(w io.Writer) error { _, err := io.WriteString(w, "whole"); return err }); err != nil {
		t.Fatal(err)
	}
	if err := writeFile(name, half); err == nil || errors.Is(err, full) {
		t.Errorf("over another file: %v", err)
	}
	if text, err := os.ReadFile(name); err != nil || string(text) != "whole" {
		t.Errorf("it is %q, %v", text, err)
	}
}

// linesOf returns a file's lines, whose exchange and routing key are those of the last publish.
func linesOf(text string) []string {
	var lines []string
	for s := bufio.NewScanner(strings.NewReader(text)); s.Scan(); {
		lines = append(lines, s.Text())
	}
	return lines
}

func TestWhatIsDiscardedGoesToTheArchiveFirst(t *testing.T) {
	t.Parallel()
	queue := park(t, 12)
	s := online(t)
	s.asks, s.in = true, "y\n"
	s.run("errors", "discard", queue, "reason=panic").want(t, exitOK, "Move 2 messages of", "to "+queue+"-archive? [y/N]", "discarded, to "+queue+"-archive")
	depths(t, queue, 10, 0)
	s.run("errors", "ls", queue+"-archive").want(t, exitOK, "order-005", "order-011")
	s.run("errors", "discard", queue, "reason=timeout", "--delete").want(t, exitRefused, "Delete 6 messages of", "for good? Type "+queue+"-error to do it:", "not done")
	depths(t, queue, 10, 0)
	s.in = queue + "-error\n"
	r := s.run("errors", "discard", queue, "reason=timeout", "--delete").want(t, exitOK, "6 messages of", "for good")
	compare(t, "errors-discard.txt", r.err+r.out, unvarying(queue, r.err+r.out)...)
	depths(t, queue, 4, 0)
	s.asks = false
	s.run("errors", "redrive", queue+"-archive", "--all", "--yes").want(t, exitOK, "to "+queue)
	depths(t, queue, 4, 2)
	r = s.run("errors", "discard", queue, "--all", "--yes", "--json").want(t, exitOK)
	compare(t, "errors-discard.json", r.out, unvarying(queue, r.out)...)
}

// A reader holds the messages, so another reader must not believe that there are none.
func TestAQueueThatSomebodyElseReadsIsSaidToBeBusy(t *testing.T) {
	t.Parallel()
	queue := park(t, 3)
	ch := amqptest.Channel(t)
	if _, err := ch.QueueDeclare(queue+"-error.reader", false, true, true, false, amqp.Table{"x-queue-type": "classic"}); err != nil {
		t.Fatal(err)
	}
	r := online(t).run("errors", "redrive", queue, "--all", "--yes").want(t, exitFailed, "somebody else reads this queue at the moment")
	if strings.Contains(r.out, "nothing") {
		t.Errorf("it says %q", r.out)
	}
	depths(t, queue, 3, 0)
}

func TestATopologyFileTellsTheErrorQueue(t *testing.T) {
	t.Parallel()
	queue := park(t, 3)
	s := online(t)
	name := file(t, "consumers:\n  - queue: other\n    error_queue: "+queue+"-error\n")
	s.run("errors", "groups", "other", "--file", name).want(t, exitOK, "3 messages in 2 groups")
	s.run("errors", "groups", "other", "--error-queue", queue+"-error").want(t, exitOK, "3 messages in 2 groups")
	s.run("errors", "groups", queue, "--file", name).want(t, exitUsage, `QUEUE is "`+queue+`"`)
}

// The command reports the messages that were moved until ^C, and the rest stays.
func TestAnInterruptedRedriveReportsWhatItMoved(t *testing.T) {
	t.Parallel()
	const n = 300
	queue := park(t, n)
	s := online(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan int)
	var out, errs bytes.Buffer
	go func() {
		ended <- run(ctx, terminal{in: strings.NewReader(""), out: &out, err: &errs, getenv: func(name string) string { return s.env[name] }},
			"errors", "redrive", queue, "--all", "--rate", "50", "--yes", "--json")
	}()
	amqptest.Eventually(t, 20*time.Second, func() bool { return amqptest.Depth(t, queue) > 10 }, "nothing is moved")
	cancel()
	if code := <-ended; code != exitInterrupted || !strings.Contains(errs.String(), "interrupted") {
		t.Errorf("exit code %d: %s", code, errs.String())
	}
	var report struct{ Moved, Matched int }
	if err := json.Unmarshal(out.Bytes(), &report); err != nil || report.Moved == 0 || report.Moved == n {
		t.Fatalf("%v: %s", err, out.String())
	}
	depths(t, queue, n-report.Moved, report.Moved)
}

func TestATimeoutEndsARedriveOnlyIfItIsGiven(t *testing.T) {
	t.Parallel()
	queue := park(t, 60)
	s := online(t)
	for timeout := time.Second; ; timeout *= 2 {
		r := s.run("errors", "redrive", queue, "--all", "--rate", "4", "--yes", "--timeout", timeout.String())
		moved := amqptest.Depth(t, queue)
		if moved == 0 && timeout < 8*time.Second { // a busy machine has not begun by then
			continue
		}
		r.want(t, exitFailed, "not done within --timeout "+timeout.String(), "messages of ")
		if moved == 0 || moved == 60 {
			t.Errorf("%d are moved", moved)
		}
		return
	}
}
