package journal_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/journal"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
)

// trial writes and reads on a real broker while something breaks it.
type trial struct {
	t       *testing.T
	url     string
	stream  string
	writers int            // how many were started
	writing sync.WaitGroup // writers
	reading sync.WaitGroup // readers

	mu        sync.Mutex
	confirmed []string
	readers   []*observer
}

// observer is what one reader sees.
type observer struct {
	ids  []string     // in the order in which they were seen; its reader's until the end
	seen atomic.Int64 // how many
}

// write appends until ctx ends, and then what is under way.
func (r *trial) write(ctx context.Context) {
	j := newJournal(r.t, connect(r.t, r.url), journal.Config{Stream: r.stream})
	r.writers++
	prefix := fmt.Sprintf("w%d-", r.writers)
	r.writing.Go(func() {
		for n := 0; ctx.Err() == nil; n += 20 {
			all := drafts(prefix, n, 20)
			patience, cancel := context.WithTimeout(context.Background(), time.Minute)
			err := j.Append(patience, all...)
			cancel()
			if err != nil {
				r.t.Error(err)
				return
			}
			r.mu.Lock()
			for _, d := range all {
				r.confirmed = append(r.confirmed, d.ID)
			}
			r.mu.Unlock()
			time.Sleep(10 * time.Millisecond) // some 2,000 a second of each writer, so that others get a turn
		}
	})
}

// read folds and follows until ctx ends. What was confirmed before is to be in the fold.
func (r *trial) read(ctx context.Context) {
	j := newJournal(r.t, connect(r.t, r.url), journal.Config{Stream: r.stream})
	o := new(observer)
	r.readers = append(r.readers, o)
	last := int64(-1)
	see := func(one journal.Record) error {
		if one.Offset <= last {
			return fmt.Errorf("offset %d comes after %d", one.Offset, last)
		}
		last = one.Offset
		o.ids = append(o.ids, one.ID)
		o.seen.Add(1)
		return nil
	}
	r.mu.Lock()
	before := slices.Clone(r.confirmed)
	r.mu.Unlock()
	r.reading.Go(func() {
		next, err := j.Fold(ctx, see)
		if err != nil {
			r.t.Errorf("fold: %v", err)
			return
		}
		seen := map[string]bool{}
		for _, id := range o.ids {
			seen[id] = true
		}
		for _, id := range before {
			if !seen[id] {
				r.t.Errorf("%s was confirmed before the fold, and is not in it", id)
			}
		}
		if err := j.Follow(ctx, next, see); !errors.Is(err, context.Canceled) {
			r.t.Errorf("follow: %v", err)
		}
	})
}

// judge folds once more, and compares. All writers have ended: what they still wrote could come
// behind the fold's mark.
func (r *trial) judge(stopReaders func()) {
	ctx := within(r.t, time.Minute)
	j := newJournal(r.t, connect(r.t, r.url), journal.Config{Stream: r.stream})
	all, _, err := fold(ctx, j)
	must(r.t, err)
	for _, o := range r.readers { // what the fold has seen is on its way to the others
		for o.seen.Load() < int64(len(all)) && ctx.Err() == nil && !r.t.Failed() {
			time.Sleep(10 * time.Millisecond)
		}
	}
	time.Sleep(200 * time.Millisecond) // so that what comes twice is seen
	stopReaders()
	r.reading.Wait()
	there := map[string]bool{}
	for _, id := range all {
		there[id] = true
	}
	for _, id := range r.confirmed {
		if !there[id] {
			r.t.Errorf("%s was confirmed and is not there", id)
		}
	}
	for i, o := range r.readers {
		if !slices.Equal(o.ids, all) {
			r.t.Errorf("reader %d saw %d records, and there are %d: they differ", i, len(o.ids), len(all))
		}
	}
	r.t.Logf("%d records, %d confirmed, %d of them twice", len(all), len(r.confirmed), len(all)-len(there))
}

// more waits until so many more records are confirmed.
func (r *trial) more(n int) {
	r.t.Helper()
	want := r.count() + n
	for end := time.Now().Add(2 * time.Minute); r.count() < want; time.Sleep(10 * time.Millisecond) {
		if r.t.Failed() || time.Now().After(end) {
			r.t.Fatalf("%d records are confirmed, want %d", r.count(), want)
		}
	}
}

func (r *trial) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.confirmed)
}

// run writes and reads while breaks breaks something.
func (r *trial) run(breaks func()) {
	j := newJournal(r.t, connect(r.t, r.url), journal.Config{Stream: r.stream})
	must(r.t, j.Declare(within(r.t, 10*time.Second)))
	writing, stopWriting := context.WithCancel(context.Background())
	reading, stopReading := context.WithCancel(context.Background())
	defer r.reading.Wait()
	defer r.writing.Wait()
	defer stopReading()
	defer stopWriting()
	for range 2 {
		r.write(writing)
		r.read(reading)
	}
	breaks()
	r.read(reading)
	r.more(500)
	stopWriting()
	r.writing.Wait()
	r.judge(stopReading)
}

func TestCutsOfConnectionsLoseAndRepeatNothing(t *testing.T) {
	amqptest.Long(t)
	t.Parallel()
	proxy := amqptest.NewProxy(t, amqptest.URL(t))
	r := &trial{t: t, url: proxy.URL(), stream: amqptest.Queue(t, "journal")}
	r.run(func() {
		for range 12 {
			time.Sleep(time.Duration(100+rand.IntN(400)) * time.Millisecond)
			if proxy.Cut() == 0 {
				time.Sleep(300 * time.Millisecond)
			}
		}
	})
}

func TestKillsAndRestartsOfTheBrokerLoseAndRepeatNothing(t *testing.T) {
	amqptest.Long(t)
	t.Parallel()
	b := amqptest.StartBroker(t)
	r := &trial{t: t, url: b.URL, stream: "journal"}
	r.run(func() {
		r.more(500)
		b.Settle()
		b.Kill()
		b.Start()
		r.more(500)
		b.Stop()
		b.Start()
	})
}

func TestReadersOfADeletedStreamEndOnARealBroker(t *testing.T) {
	t.Parallel()
	stream := amqptest.Queue(t, "journal")
	j := newJournal(t, connect(t, amqptest.URL(t)), journal.Config{Stream: stream})
	ctx := within(t, 30*time.Second)
	must(t, j.Declare(ctx))
	must(t, j.Append(ctx, drafts("a", 0, 10)...))
	_, next, err := fold(ctx, j)
	must(t, err)
	ended := make(chan error, 1)
	go func() { ended <- j.Follow(ctx, next, func(journal.Record) error { return nil }) }()
	go func() { // once it reads
		time.Sleep(500 * time.Millisecond)
		_, _ = amqptest.Channel(t).QueueDelete(stream, false, false, false)
	}()
	if err := <-ended; !errors.Is(err, journal.ErrGone) || !strings.Contains(err.Error(), "no queue '"+stream+"'") {
		t.Errorf("follow: %v", err)
	}
	if err := j.Append(ctx, drafts("b", 0, 1)...); !errors.Is(err, journal.ErrGone) {
		t.Errorf("append: %v", err)
	}
	if _, _, err := fold(ctx, j); !errors.Is(err, journal.ErrGone) {
		t.Errorf("fold: %v", err)
	}
	must(t, j.Declare(ctx))
	if got, _, err := fold(ctx, j); err != nil || len(got) != 0 {
		t.Error(got, err)
	}
	if testing.Short() { // it takes some silence
		return
	}
	if err := j.Follow(ctx, next, func(journal.Record) error { return nil }); !errors.Is(err, journal.ErrGone) {
		t.Errorf("follow from offset %d of the old one: %v", next, err)
	}
}

func TestWhatIsNotPermittedIsSaid(t *testing.T) {
	amqptest.Long(t)
	stream, user := amqptest.Queue(t, "journal"), amqptest.Queue(t, "user")
	exchange := stream + "-exchange"
	amqptest.Cleanup(t, exchange)
	base, err := url.Parse(amqptest.URL(t))
	must(t, err)
	vhost := strings.TrimPrefix(base.Path, "/")
	amqptest.Ctl(t, "add_user", user, "secret")
	t.Cleanup(func() { amqptest.Ctl(t, "delete_user", user) })
	base.User = url.UserPassword(user, "secret")
	allow := func(configure, write, read string) *journal.Journal {
		amqptest.Ctl(t, "set_permissions", "-p", vhost, user, configure, write, read)
		return newJournal(t, connect(t, base.String()), journal.Config{Stream: stream, Exchange: exchange})
	}
	ctx := within(t, 5*time.Minute) // rabbitmqctl takes seconds on a busy machine
	denied := func(err error, permission, kind, name string) {
		t.Helper()
		var e *journal.DeniedError
		if !errors.As(err, &e) || e.Permission != permission || e.Kind != kind || e.Name != name || strings.Contains(err.Error(), "secret") {
			t.Errorf("%v, want no permission to %s %s %q", err, permission, kind, name)
		}
	}
	nothing, all := "^$", ".*"
	err = allow(nothing, nothing, stream).Declare(ctx)
	denied(err, "configure", "queue", stream)
	if !errors.Is(err, journal.ErrGone) {
		t.Errorf("%v, want also that there is no stream", err)
	}
	denied(allow(stream+"$", stream, stream).Declare(ctx), "configure", "exchange", exchange)
	owner := newJournal(t, connect(t, amqptest.URL(t)), journal.Config{Stream: stream, Exchange: exchange})
	must(t, owner.Declare(ctx))
	reader := allow(nothing, `^amq\.default$`, "^"+stream+"$")
	must(t, reader.Declare(ctx))
	denied(reader.Append(ctx, drafts("a", 0, 3)...), "write", "exchange", exchange)
	must(t, owner.Append(ctx, drafts("a", 0, 3)...))
	got, next, err := fold(ctx, reader)
	if err != nil || len(got) != 3 {
		t.Errorf("a reader needs no more: %v, %v", got, err)
	}
	_, _, err = fold(ctx, allow(nothing, nothing, "^"+stream+"$"))
	denied(err, "write", "exchange", "amq.default")
	blind := allow(nothing, all, nothing)
	must(t, blind.Append(ctx, drafts("b", 0, 3)...))
	_, _, err = fold(ctx, blind)
	denied(err, "read", "queue", stream)
	denied(blind.Follow(ctx, next, func(journal.Record) error { return nil }), "read", "queue", stream)
	enough := errors.New("enough")
	if err := owner.Follow(ctx, next, func(r journal.Record) error {
		if r.ID == "b2" {
			return enough
		}
		return nil
	}); !errors.Is(err, enough) {
		t.Error(err)
	}
}
