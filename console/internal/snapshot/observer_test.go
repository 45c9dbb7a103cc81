package snapshot

import (
	"bytes"
	"maps"
	"reflect"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"pgregory.net/rapid"

	"github.com/bunnicula-go/bunnicula/errorqueue"
)

func see(o *Observer, all []errorqueue.Message) {
	for i := range all {
		m := all[i]
		m.Position = i + 1
		o.See(&m)
	}
}

func TestAWholeReadingOfAnOperationIsTheNewestSnapshot(t *testing.T) {
	f := &fake{messages: failures(10)}
	inBubble(t, f, func(c *Config) { c.SpoolDir, c.Busy = t.TempDir(), f.isBusy }, func(t *testing.T, s *Store) {
		r := open(t, s)
		changes, stop := r.Watch()
		defer stop()
		time.Sleep(time.Second)
		first := r.Snapshot()
		f.set(func(f *fake) { f.busy = true })
		o := r.Observer()
		now := failures(12)
		see(o, now)
		if r.Snapshot() != first {
			t.Fatal("a reading that has not ended is shown")
		}
		r.Settled(now[3].Mark)
		time.Sleep(time.Minute)
		o.Whole()
		snap := r.Snapshot()
		read, rows := snap.Read()
		if !snap.Done() || snap.Version() <= first.Version() || read != 12 || rows != 12 || snap.Gone() != 1 || first.Gone() != 1 || snap.Took() != 0 || snap.Of() != 12 {
			t.Fatalf("%d read, %d rows, %d gone, took %v of %d", read, rows, snap.Gone(), snap.Took(), snap.Of())
		}
		if total := snap.Groups(); total.Messages != 12 || len(total.Groups) != 4 {
			t.Errorf("groups %+v", total)
		}
		if line, err := snap.Timeline(errorqueue.Filter{}); err != nil || len(line.Points) == 0 {
			t.Errorf("timeline %+v, %v", line, err)
		}
		if m, err := snap.Message(now[11].Mark); err != nil || !bytes.Equal(m.Body, now[11].Body) {
			t.Errorf("body %q, %v", m.Body, err)
		}
		if n := <-changes; n != snap.Version() {
			t.Errorf("told of %d, want %d", n, snap.Version())
		}
		o.End()
		f.set(func(f *fake) { f.messages, f.busy = failures(11), false }) // as many as the operation has left
		time.Sleep(5 * time.Minute)
		if f.passes() != 1 {
			t.Errorf("%d passes", f.passes())
		}
	})
}

// A reading is what See was told of since Position 1. Whole ends it.
func TestOnlyAWholeReadingBecomesASnapshot(t *testing.T) {
	all := failures(30)
	rapid.Check(t, func(rt *rapid.T) {
		store := storeOf(t, &fake{}, nil)
		r := newReading(store, "orders-error", &fake{})
		o := r.Observer()
		position, contiguous, want := 0, false, 0 // want is how many the last whole reading has read
		for range rapid.IntRange(0, 60).Draw(rt, "steps") {
			switch rapid.IntRange(0, 9).Draw(rt, "what") {
			case 0:
				o.Whole()
				if contiguous {
					want = position
				}
				contiguous = false
			case 1:
				position, contiguous = 1, true
				see(o, all[:1])
			case 2: // a message is left out
				m := all[0]
				m.Position = position + 2
				o.See(&m)
				contiguous = false
			default:
				position = min(position+1, len(all)-1)
				m := all[position]
				if m.Position = position; position == 1 {
					contiguous = true
				}
				o.See(&m)
			}
		}
		o.End()
		got := 0
		if s := r.Snapshot(); s != nil {
			got, _ = s.Read()
			if !s.Done() || s.Err() != nil {
				rt.Fatal("a reading that has not ended is shown")
			}
		}
		if got != want {
			rt.Fatalf("%d read, want %d", got, want)
		}
		r.end(t.Context())
		if store.memory.used.Load() != 0 || store.samples.used.Load() != 0 {
			rt.Fatalf("%d bytes are left of rows, %d of samples", store.memory.used.Load(), store.samples.used.Load())
		}
	})
}

func TestAReadingThatIsForgottenTakesNoMemory(t *testing.T) {
	for name, forget := range map[string]func(*Reading, *Observer){
		"end": func(_ *Reading, o *Observer) { o.End() },
		"one that leaves out messages": func(_ *Reading, o *Observer) {
			o.See(&errorqueue.Message{Position: 9})
		},
		"end of the Reading": func(r *Reading, _ *Observer) { r.end(t.Context()) },
	} {
		store := storeOf(t, &fake{}, nil)
		r := newReading(store, "orders-error", &fake{})
		o := r.Observer()
		see(o, failures(100))
		if store.memory.used.Load() == 0 {
			t.Errorf("%s: it takes no memory", name)
		}
		forget(r, o)
		o.Whole()
		if r.Snapshot() != nil || store.memory.used.Load() != 0 || store.samples.used.Load() != 0 {
			t.Errorf("%s: %v, %d bytes", name, r.Snapshot(), store.memory.used.Load())
		}
		r.end(t.Context())
		see(o, failures(100))
		o.Whole()
		r.Observer().End()
		if store.memory.used.Load() != 0 || r.Snapshot() != nil || len(r.observers) > 1 {
			t.Errorf("%s: after all, %d bytes", name, store.memory.used.Load())
		}
	}
}

func TestRedactDoesNotChangeWhatAnOperationMoves(t *testing.T) {
	scrub := func(m *errorqueue.Message) {
		clear(m.Body)
		delete(m.Headers, "text")
		m.Headers["table"].(amqp.Table)["a"].([]any)[0] = "gone"
		clear(m.Headers["bytes"].([]byte))
		m.History[0].Error, m.Deaths[0].Queue = "gone", "gone"
	}
	store := storeOf(t, &fake{}, func(c *Config) { c.Redact = scrub })
	r := newReading(store, "orders-error", &fake{})
	defer r.end(t.Context())
	m, want := rich(), rich()
	m.Position, want.Position = 1, 1
	kept := maps.Clone(m.Headers)
	o := r.Observer()
	defer o.End()
	o.See(&m)
	o.Whole()
	if !reflect.DeepEqual(m, want) || !reflect.DeepEqual(kept, m.Headers) {
		t.Errorf("the message is %+v", m)
	}
	if got, err := r.Snapshot().Message(m.Mark); err != nil || got.Headers["text"] != nil || bytes.Equal(got.Body, m.Body) {
		t.Errorf("kept %+v, %v", got, err)
	}
}

func TestViewersLookWhileAnOperationMoves(t *testing.T) {
	f := &fake{messages: failures(200), busy: true}
	inBubble(t, f, func(c *Config) { c.Busy = f.isBusy }, func(t *testing.T, s *Store) {
		r := open(t, s)
		r.Begin()
		time.Sleep(time.Second)
		over := make(chan struct{})
		var viewers sync.WaitGroup
		for range 4 {
			viewers.Go(func() {
				for {
					snap := r.Snapshot()
					r.Keep(snap.Version(), time.Now().Add(time.Minute))
					rows, total, err := snap.Find(errorqueue.Filter{Groups: []string{"g1"}}, Page{})
					left, errLeft := snap.Left(errorqueue.Filter{})
					if err != nil || errLeft != nil || total != 50 || len(rows) != 50 || left > 200 || !snap.Done() {
						t.Errorf("%d of %d rows, %d left, %v, %v", len(rows), total, left, err, errLeft)
					}
					_, _, _ = snap.Marks(errorqueue.Filter{})
					_ = snap.Groups()
					_ = r.Progress()
					select {
					case <-over:
						return
					case <-time.After(time.Millisecond):
					}
				}
			})
		}
		o := r.Observer()
		for round := range 20 {
			see(o, f.messages)
			o.Whole()
			r.Settled(f.messages[round].Mark)
			time.Sleep(time.Millisecond)
		}
		o.End()
		close(over)
		viewers.Wait()
		if n := r.Snapshot().Gone(); n != 1 { // each reading has found all of them
			t.Errorf("%d are gone", n)
		}
	})
}

func TestWhatIsShownIsNotDroppedForWhatAnOperationReads(t *testing.T) {
	f := &fake{messages: failures(2000), busy: true}
	inBubble(t, f, func(c *Config) { c.Busy, c.Memory = f.isBusy, 600_000 }, func(t *testing.T, s *Store) {
		r := open(t, s)
		for range 3 { // there is room for two of them
			r.Begin()
			time.Sleep(time.Second)
		}
		shown := r.Snapshot()
		r.Keep(shown.Version(), time.Now().Add(time.Hour)) // or it may go as soon as there is another one
		o := r.Observer()
		defer o.End()
		see(o, failures(2000))
		o.Whole()
		second := r.Snapshot()
		if _, rows := second.Read(); second == shown || rows != 2000 || r.Version(shown.Version()) != shown {
			t.Fatalf("there is room for another one, and it has %d rows", rows)
		}
		see(o, failures(2000))
		o.Whole()
		if r.Snapshot() != second || r.Version(shown.Version()) != shown {
			t.Error("what is shown or kept has made room")
		}
	})
}
