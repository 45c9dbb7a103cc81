package main

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/errorqueue"
	"github.com/bunnicula-go/bunnicula/examples/internal/drill/drilltest"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
)

// Both programs are killed at moments that a seed decides, the bug is fixed, and what it parked is
// redriven.
func TestEveryRecordIsAccountedForWhenBothProgramsAreKilled(t *testing.T) {
	records, rate, kills, seeds := 3000, 1500, 5, 3
	if testing.Short() {
		records, rate, kills, seeds = 400, 400, 2, 1
	}
	for seed := 1; seed <= seeds; seed++ {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			tellStory(t, records, rate, kills, uint64(seed))
		})
	}
}

func tellStory(t *testing.T, records, rate, kills int, seed uint64) {
	o := made(t, amqptest.URL(t), amqptest.Queue(t, "migration", "-retry-200ms", "-retry-500ms"), records, rate, seed)
	withDots, without := odd(mustRead(t, o))
	chance := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // the same moments for the same seed

	export := newVictim(t, o.args(exporting), chance, kills, records, func() int { return published(t, o) })
	first := newVictim(t, o.args(importing), chance, kills, records-withDots-without, watchRows(t, o))
	for !export.over() {
		export.killIfDue(chance)
		first.killIfDue(chance)
		time.Sleep(2 * time.Millisecond) // until the next look
	}
	if code := export.Wait(time.Second); code != exitOK {
		t.Fatalf("the export ended with %d", code)
	}
	awaitAccount(t, o, Account{Total: records, Published: records, Imported: records - withDots - without, Parked: withDots + without}, first, chance)
	first.Terminate()
	if code := first.Wait(patience); code != exitOK {
		t.Errorf("the import ended with %d", code)
	}

	fixed := newVictim(t, o.args(importing, "-fixed"), chance, kills, withDots, watchRows(t, o))
	fixed.Await("imports ", patience)
	redrive(t, o)
	awaitAccount(t, o, Account{Total: records, Published: records, Imported: records - without, Parked: without}, fixed, chance)
	t.Logf("killed: export %d, import %d, fixed import %d times", export.killed, first.killed, fixed.killed)
	if export.killed == 0 || first.killed == 0 {
		t.Error("one of them was never killed")
	}
}

// victim is one of the programs. It is killed when it has come so far, and started again. The
// test's goroutine uses it.
type victim struct {
	*amqptest.Process

	t      *testing.T
	args   []string
	far    func() int
	kills  []int // in their order
	killed int
}

// newVictim starts a program that is killed so often on its way from what there is to most more.
func newVictim(t *testing.T, args []string, chance *rand.Rand, kills, most int, far func() int) *victim {
	t.Helper()
	v := &victim{t: t, args: args, far: far}
	for range kills {
		v.kills = append(v.kills, far()+chance.IntN(most*7/10))
	}
	slices.Sort(v.kills)
	v.start()
	return v
}

func (v *victim) start() {
	v.t.Helper()
	v.Process = amqptest.StartProcess(v.t, nil, amqptest.Program(os.Args[0], v.args...))
}

// killIfDue kills the program, up to 20 ms after it has come as far as the next kill.
func (v *victim) killIfDue(chance *rand.Rand) {
	v.t.Helper()
	if v.over() || len(v.kills) == 0 || v.far() < v.kills[0] {
		return
	}
	time.Sleep(time.Duration(chance.IntN(20)) * time.Millisecond) // the moment
	if v.over() {
		return
	}
	v.Kill()
	v.kills = v.kills[1:]
	v.killed++
	v.start()
}

func (v *victim) over() bool {
	select {
	case <-v.Ended():
		return true
	default:
		return false
	}
}

func published(t *testing.T, o Options) int {
	t.Helper()
	at, err := readPosition(positionFile(o))
	if err != nil {
		t.Fatal(err)
	}
	return at.Records
}

// watchRows counts the rows of the new system.
func watchRows(t *testing.T, o Options) func() int {
	t.Helper()
	var db *sql.DB
	return func() (n int) {
		if _, err := os.Stat(o.Store); err != nil {
			return 0
		}
		if db == nil {
			s, err := openStore(o)
			if err != nil {
				t.Fatal(err)
			}
			db = s.DB
			t.Cleanup(func() { _ = db.Close() })
		}
		if db.QueryRowContext(t.Context(), `SELECT count(*) FROM customers`).Scan(&n) != nil {
			return 0 // there is no table yet
		}
		return n
	}
}

// awaitAccount waits until the account is complete. The importer is killed meanwhile.
func awaitAccount(t *testing.T, o Options, want Account, importer *victim, chance *rand.Rand) {
	t.Helper()
	var said string
	defer func() { t.Log(said) }()
	amqptest.Eventually(t, 2*time.Minute, func() bool {
		importer.killIfDue(chance)
		var out drilltest.Output
		code := run(t.Context(), o.args(accounting), &out, &drilltest.Output{})
		said = out.String()
		return code == exitOK
	}, "the account is not complete")
	for _, line := range []string{
		fmt.Sprintf("published  %6d of %d\n", want.Published, want.Total), fmt.Sprintf("imported   %6d\n", want.Imported),
		fmt.Sprintf("parked     %6d\n", want.Parked), "in transit      0\n",
	} {
		if !strings.Contains(said, line) {
			t.Errorf("it does not say %q", line)
		}
	}
}

// redrive moves all that is parked back, with the command if there is time to build it.
func redrive(t *testing.T, o Options) {
	t.Helper()
	if !testing.Short() {
		command := command(t)
		for _, args := range [][]string{{"errors", "groups", o.Queue}, {"errors", "redrive", o.Queue, "--all", "--yes"}, {"status", o.Queue, "--delays", "200ms,500ms"}} {
			out, err := exec.CommandContext(t.Context(), command, append(args, "--url", o.URL)...).CombinedOutput()
			t.Logf("%s", out)
			if err != nil {
				t.Fatal(err)
			}
		}
		return
	}
	conn, err := connection.New(connection.Config{URL: o.URL}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Stop(context.WithoutCancel(t.Context())) }()
	q, err := errorqueue.Open(t.Context(), conn, errorqueue.Config{Queue: o.Queue}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close(context.WithoutCancel(t.Context()))
	if _, err := q.Redrive(t.Context(), errorqueue.RedriveOptions{All: true}); err != nil {
		t.Fatal(err)
	}
}

// command builds the command.
func command(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "bunnicula")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-ldflags=-w", "-o", file, "../../cmd/bunnicula").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return file
}

func TestAStoppedExportGoesOnAndForgetLeavesNothing(t *testing.T) {
	t.Parallel()
	o := made(t, amqptest.URL(t), amqptest.Queue(t, "migration", "-retry-200ms", "-retry-500ms"), 300, 100, 1)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var out, said drilltest.Output
	ended := make(chan int)
	go func() { ended <- run(ctx, o.args(exporting), &out, &said) }()
	amqptest.Eventually(t, 30*time.Second, func() bool { return published(t, o) > 0 }, "nothing is published")
	stop()
	if code := <-ended; code != exitStopped || !strings.Contains(said.String(), "the same command goes on from here") {
		t.Errorf("exit code %d: %s", code, said.String())
	}
	account := o.args(accounting)
	if code := run(t.Context(), account, &out, &said); code != exitFailed || !strings.Contains(out.String(), "the migration is not over") {
		t.Errorf("exit code %d: %s", code, out.String())
	}
	o.Rate = 100_000
	if code := run(t.Context(), o.args(exporting), &out, &said); code != exitOK || !strings.Contains(out.String(), "goes on behind ") {
		t.Errorf("exit code %d: %s", code, out.String())
	}
	if n := amqptest.Depth(t, o.Queue); n != 300 && n != 300+batch { // the batch in hand was published, or not
		t.Errorf("%d messages, want 300, or a batch more", n)
	}
	if code := run(t.Context(), o.args(forgetting), &out, &said); code != exitOK || amqptest.Exists(t, o.Queue) {
		t.Errorf("exit code %d, or the queue is still there: %s", code, said.String())
	}
	if left, err := os.ReadDir(filepath.Dir(o.Source)); err != nil || len(left) > 0 {
		t.Errorf("there are still %v: %v", left, err)
	}
}
