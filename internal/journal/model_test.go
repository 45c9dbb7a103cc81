package journal_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/bunnicula-go/bunnicula/internal/journal"
	"github.com/bunnicula-go/bunnicula/internal/simulated"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/internal/test/histories"
)

// Writers append, readers fold and follow, and connections, processes and the broker fail. Every
// reader sees what the broker keeps, in its order, none left out and none twice; what was confirmed
// is kept, and seen by each Fold that began later.
//
//	go test ./internal/journal -run TestWhateverHappens -rapid.seed=... -rapid.checks=20000
func TestWhateverHappensReadersSeeTheSame(t *testing.T) {
	checks := 1000
	if testing.Short() || amqptest.Raced() {
		checks = 150
	}
	histories.Check(t, checks, anyHistory, func(h history) (err error) {
		w := &world{history: h}
		defer func() {
			if p := recover(); p != nil {
				err = fmt.Errorf("%v\n%s", p, histories.Blocked())
			}
			if err != nil {
				err = fmt.Errorf("%w\n\n%+v\n\n%s", err, h, w.events())
			}
		}()
		synctest.Test(t, func(*testing.T) { err = w.run() })
		return err
	}, "readers saw what they should not, see below")
}

// history is what happens.
type history struct {
	version simulated.Version
	latency time.Duration
	writers [][]batch
	readers []time.Duration // when each begins
	faults  []fault
	moments []moment
}

// batch is one Append, so long after the one before.
type batch struct {
	pause time.Duration
	n     int
}

// fault goes wrong at a step.
type fault struct {
	step  string
	n     int
	fault simulated.Fault
}

// moment is something that happens at a time.
type moment struct {
	at   time.Duration
	what string
	who  int
}

var anyHistory = rapid.Custom(func(t *rapid.T) history {
	tenths := func(from, to int) *rapid.Generator[time.Duration] {
		return rapid.Map(rapid.IntRange(from, to), func(n int) time.Duration { return time.Duration(n) * 100 * time.Millisecond })
	}
	batches := rapid.Custom(func(t *rapid.T) batch {
		return batch{tenths(0, 30).Draw(t, "pause"), rapid.OneOf(rapid.IntRange(1, 5), rapid.IntRange(1, 300)).Draw(t, "n")}
	})
	faults := rapid.Custom(func(t *rapid.T) fault {
		return fault{
			rapid.SampledFrom([]string{"publish", "confirm", "deliver", "ack", "consume", "qos", "open", "reply", "dial"}).Draw(t, "step"),
			rapid.OneOf(rapid.IntRange(1, 8), rapid.IntRange(1, 300)).Draw(t, "at"),
			rapid.SampledFrom([]simulated.Fault{
				{Kind: simulated.Cut}, {Kind: simulated.Cut, After: true}, {Kind: simulated.Cut, Client: time.Second}, {Kind: simulated.Cut, Broker: 2 * time.Second},
				{Kind: simulated.CloseChannel, Code: 320}, {Kind: simulated.CloseSession, Code: 541, After: true}, {Kind: simulated.Nack}, {Kind: simulated.Unroutable},
				{Kind: simulated.LateConfirm, For: 3 * time.Second}, {Kind: simulated.NoConfirm}, {Kind: simulated.Restart, For: 2 * time.Second},
				{Kind: simulated.Restart, For: time.Second, Delay: time.Second}, {Delay: 3 * time.Second}, {Kind: simulated.HoldChannel, For: 3 * time.Second},
				{Kind: simulated.Alarm, For: 2 * time.Second}, {Kind: simulated.Refuse, For: 2 * time.Second},
			}).Draw(t, "fault"),
		}
	})
	moments := rapid.Custom(func(t *rapid.T) moment {
		return moment{tenths(0, 150).Draw(t, "at"), rapid.SampledFrom([]string{"restart", "kill", "full", "fold"}).Draw(t, "what"), rapid.IntRange(0, 2).Draw(t, "who")}
	})
	return history{
		version: rapid.SampledFrom([]simulated.Version{simulated.RabbitMQ43, simulated.RabbitMQ3}).Draw(t, "version"),
		latency: rapid.SampledFrom([]time.Duration{time.Millisecond, 0, 30 * time.Millisecond}).Draw(t, "latency"),
		writers: rapid.SliceOfN(rapid.SliceOfN(batches, 1, 5), 1, 3).Draw(t, "writers"),
		readers: rapid.SliceOfN(tenths(0, 100), 1, 3).Draw(t, "readers"),
		faults:  rapid.SliceOfN(faults, 0, 5).Draw(t, "faults"),
		moments: rapid.SliceOfN(moments, 0, 5).Draw(t, "moments"),
	}
})

// world acts a history out.
type world struct {
	history
	broker *simulated.Broker
	ctx    context.Context
	all    sync.WaitGroup // writers and readers

	mu        sync.Mutex
	confirmed map[string]time.Time // ids
	readings  []*reading
}

// reading is one reader's.
type reading struct {
	process *simulated.Process
	began   time.Time
	stop    context.CancelFunc

	offsets []int64
	ids     []string
	folded  int // of them, by the Fold; -1 if it has not ended
	err     error
}

func (w *world) events() string {
	var lines []string
	for _, e := range w.broker.Journal() {
		lines = append(lines, e.String())
	}
	return strings.Join(lines[max(0, len(lines)-400):], "\n")
}

func (w *world) process(name string) (*simulated.Process, *journal.Journal, error) {
	p := w.broker.Process(name)
	j, err := journal.New(p, journal.Config{Stream: "s", Exchange: "x", Segment: 3000, Logger: slog.New(slog.DiscardHandler)})
	return p, j, err
}

func (w *world) run() error {
	seen := map[string]int{}
	armed := false
	w.confirmed = map[string]time.Time{}
	w.broker = simulated.New(simulated.Options{Version: w.version, Latency: w.latency, Faults: func(s simulated.Step) simulated.Fault {
		if !armed {
			return simulated.Fault{}
		}
		seen[s.Kind]++
		for _, f := range w.faults {
			if f.step == s.Kind && f.n == seen[s.Kind] {
				return f.fault
			}
		}
		return simulated.Fault{}
	}})
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	w.ctx = ctx
	var processes []*simulated.Process
	defer func() {
		for _, p := range processes {
			_ = p.Stop(context.Background())
		}
	}()
	p, j, err := w.process("first")
	if err != nil {
		return err
	}
	processes = append(processes, p)
	if err := j.Declare(ctx); err != nil {
		return err
	}
	synctest.Wait()
	armed = true
	for i, batches := range w.writers {
		p, j, err := w.process(fmt.Sprint("writer", i))
		if err != nil {
			return err
		}
		processes = append(processes, p)
		w.all.Go(func() { w.write(j, fmt.Sprintf("w%d-", i), batches) })
		defer func() { _ = j.Stop(ctx) }()
	}
	for i, at := range w.readers {
		time.AfterFunc(at, func() { w.begin(fmt.Sprint("reader", i)) })
	}
	for i, m := range w.moments {
		time.AfterFunc(m.at, func() { w.happen(m, i) })
	}
	time.Sleep(2 * time.Minute)
	w.mu.Lock()
	for _, r := range w.readings {
		r.stop()
	}
	w.mu.Unlock()
	w.all.Wait()
	for _, r := range w.readings {
		_ = r.process.Stop(context.Background())
	}
	_ = j.Stop(ctx)
	return w.judge()
}

func (w *world) write(j *journal.Journal, prefix string, batches []batch) {
	n := 0
	for _, b := range batches {
		time.Sleep(b.pause)
		all := drafts(prefix, n, b.n)
		n += b.n
		if err := j.Append(w.ctx, all...); err != nil {
			continue
		}
		w.mu.Lock()
		for _, d := range all {
			w.confirmed[d.ID] = time.Now()
		}
		w.mu.Unlock()
	}
}

// begin starts a reader.
func (w *world) begin(name string) {
	p, j, err := w.process(name)
	if err != nil {
		panic(err)
	}
	ctx, stop := context.WithCancel(w.ctx)
	r := &reading{process: p, began: time.Now(), stop: stop, folded: -1}
	w.mu.Lock() // readers may begin at the same time
	w.readings = append(w.readings, r)
	w.mu.Unlock()
	see := func(one journal.Record) error {
		r.offsets, r.ids = append(r.offsets, one.Offset), append(r.ids, one.ID)
		return nil
	}
	w.all.Go(func() {
		defer func() { _ = j.Stop(ctx) }()
		for { // a mark may be refused
			next, err := j.Fold(ctx, see)
			if err == nil {
				r.folded = len(r.ids)
				r.err = j.Follow(ctx, next, see)
				return
			}
			if r.err = err; ctx.Err() != nil || !strings.Contains(err.Error(), "not take") || len(r.ids) > 0 {
				return
			}
			r.began = time.Now()
			time.Sleep(100 * time.Millisecond)
		}
	})
}

func (w *world) happen(m moment, i int) {
	switch m.what {
	case "restart":
		w.broker.Restart(time.Second)
	case "full":
		w.broker.Full("s", time.Second)
	case "fold":
		w.begin(fmt.Sprint("later", i))
	case "kill":
		w.mu.Lock()
		defer w.mu.Unlock()
		if m.who < len(w.readings) {
			w.readings[m.who].process.Kill(time.Second)
			w.readings[m.who].stop()
		}
	}
}

func (w *world) judge() error {
	var offsets []int64
	var ids []string
	for _, d := range w.broker.Messages("s") {
		if d.Type == "" {
			offset, _ := d.Headers["x-stream-offset"].(int64)
			offsets, ids = append(offsets, offset), append(ids, d.MessageId)
		}
	}
	for id := range w.confirmed {
		if !slices.Contains(ids, id) {
			return fmt.Errorf("%s was confirmed and is not there", id)
		}
	}
	for i, r := range w.readings {
		select {
		case <-r.process.Dead():
			if n := len(r.ids); n > len(ids) || !slices.Equal(r.ids, ids[:n]) || !slices.Equal(r.offsets, offsets[:n]) {
				return fmt.Errorf("reader %d, which died, saw %v %v", i, r.ids, r.offsets)
			}
			continue
		default:
		}
		if r.folded < 0 || !errors.Is(r.err, context.Canceled) {
			return fmt.Errorf("reader %d has ended: %w", i, r.err)
		}
		if !slices.Equal(r.ids, ids) || !slices.Equal(r.offsets, offsets) {
			return fmt.Errorf("reader %d saw\n%v %v, and there is\n%v %v", i, r.ids, r.offsets, ids, offsets)
		}
		for id, at := range w.confirmed {
			if at.Before(r.began) && !slices.Contains(r.ids[:r.folded], id) {
				return fmt.Errorf("reader %d began to fold %s after %s was confirmed, and did not see it", i, r.began.Sub(at), id)
			}
		}
	}
	return nil
}
