package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/examples/import/api"
	"github.com/bunnicula-go/bunnicula/examples/internal/drill/drilltest"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/publisher"
	"github.com/bunnicula-go/bunnicula/topology"
)

func TestMain(m *testing.M) { drilltest.Main(m, main) }

// importing is one import of a test, with queues and a file of its own.
type importing struct {
	Options
	args []string
}

func newImporting(t *testing.T, args ...string) importing {
	t.Helper()
	args = append([]string{
		"-url", amqptest.URL(t), "-queue-prefix", amqptest.Queue(t, "import"), "-state", filepath.Join(t.TempDir(), "state.jsonl"),
		"-backoff", "20ms,50ms", "-timeout", "250ms", "-rate", "2000", "-small", "10", "-later", "0s",
	}, args...)
	o, err := parse(args, t.Output())
	if err != nil {
		t.Fatal(err)
	}
	amqptest.Cleanup(t, o.Queues()...)
	return importing{o, args}
}

// run runs it in this process, and returns the exit code and what it printed.
func (i importing) run(t *testing.T, ctx context.Context, more ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, complaint drilltest.Output
	code = run(ctx, slices.Concat(i.args, more), &out, &complaint)
	t.Logf("exit code %d\n%s%s", code, complaint.String(), out.String())
	return code, out.String(), complaint.String()
}

// ledger reads what is in its file now; a part of a line does not count.
func (i importing) ledger(t *testing.T) Books {
	t.Helper()
	text, err := os.ReadFile(i.State)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	copied := filepath.Join(t.TempDir(), "copy.jsonl")
	if err := os.WriteFile(copied, text, 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := OpenLedger(copied, i.Source())
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Books()
}

// wait waits until that many are imported.
func (i importing) wait(t *testing.T, imported int) {
	t.Helper()
	amqptest.Eventually(t, 30*time.Second, func() bool { return i.imported(t) >= imported }, "%d were not imported", imported)
}

// imported counts what is imported up to now.
func (i importing) imported(t *testing.T) (sum int) {
	t.Helper()
	for _, b := range i.ledger(t) {
		sum += len(b.Imported)
	}
	return sum
}

// listed publishes an account's conversations, as a start that is stopped before it imports any.
func (i importing) listed(t *testing.T, account string) {
	t.Helper()
	ctx := t.Context()
	conn, err := connection.New(connection.Config{URL: i.URL}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Stop(context.WithoutCancel(ctx)) }()
	pub, err := publisher.New(conn, publisher.Config{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = pub.Stop(context.WithoutCancel(ctx)) }()
	queue, err := topology.New(topology.Plan{Queue: i.ConversationQueue()})
	if err == nil {
		err = queue.Declare(amqptest.Channel(t))
	}
	if err != nil {
		t.Fatal(err)
	}
	ledger, err := OpenLedger(i.State, i.Source())
	if err != nil {
		t.Fatal(err)
	}
	defer ledger.Close()
	page := api.Page{Account: account, Number: 1}
	for _, c := range i.account(account).Conversations {
		page.IDs = append(page.IDs, c.ID)
	}
	page.Total = len(page.IDs)
	if err := NewLister(i.Options, Client{}, pub, nil, nil).publish(ctx, page); err != nil {
		t.Fatal(err)
	}
	if err := ledger.AddPage(page); err != nil {
		t.Fatal(err)
	}
}

// all is how many conversations there are.
func (i importing) all() int { return i.Conversations + i.Small }

// accounted checks by the file and the error queue, and not by what the program says, that each of
// the conversations is imported or parked.
func (i importing) accounted(t *testing.T) (parked []Parked) {
	t.Helper()
	found, published := map[string]bool{}, 0
	for _, b := range i.ledger(t) {
		published += len(b.Published)
		for id := range b.Imported {
			found[id] = true
		}
	}
	for _, d := range amqptest.Drain(t, i.ConversationQueue()+"-error") {
		found[d.MessageId] = true
		parked = append(parked, parkedOf(d))
	}
	for _, account := range i.Accounts() {
		for _, c := range i.account(account).Conversations {
			if !found[c.ID] {
				t.Errorf("%s is neither imported nor parked", c.ID)
			}
		}
	}
	if len(found) != i.all() || published != i.all() {
		t.Errorf("found %d and published %d conversations, want %d", len(found), published, i.all())
	}
	return parked
}

// accountLine is an account's line of the summary.
type accountLine struct {
	requests, refused, behind int
	listed, done              time.Duration
}

func summaryOf(t *testing.T, out, account string) (l accountLine) {
	t.Helper()
	for line := range strings.Lines(out) {
		var conversations, imported, parked int
		var listed, done string
		n, err := fmt.Sscanf(strings.TrimSpace(line), account+" %d %d %d %d %d %s %d %s",
			&conversations, &imported, &parked, &l.requests, &l.refused, &listed, &l.behind, &done)
		if n == 0 || err != nil {
			continue
		}
		l.listed, err = time.ParseDuration(listed)
		if err == nil {
			l.done, err = time.ParseDuration(done)
		}
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		return l
	}
	t.Fatalf("there is no line of %s:\n%s", account, out)
	return l
}
