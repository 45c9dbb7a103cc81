package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/sending"
	"github.com/bunnicula-go/bunnicula/internal/simulated"
	"github.com/bunnicula-go/bunnicula/internal/test/histories"
	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/publisher"
	"github.com/bunnicula-go/bunnicula/use"
)

// Processes come, stop, are cut off and killed, and the broker restarts. With block no message of a
// key begins before the ones before it have had their end, and none is lost. In simulated time.
func TestWhateverHappensMessagesOfOneKeyKeepTheirOrder(t *testing.T) {
	histories.Check(t, 100, anyOrdered, func(h ordered) (err error) {
		w := &orderly{ordered: h, ended: map[string][]bool{}, settled: map[string]settledLast{}, open: map[string]bool{}}
		defer func() {
			if p := recover(); p != nil { // goroutines that never end
				err = fmt.Errorf("%v\n%s", p, histories.Blocked())
			}
			if err != nil {
				err = fmt.Errorf("%w\n\n%+v\n\n%s", err, h, w.journal())
			}
		}()
		synctest.Test(t, func(*testing.T) { err = w.run() })
		return err
	}, "the order is broken or a message is lost, see below")
}

// ordered is a history.
type ordered struct {
	Version    simulated.Version
	Latency    time.Duration
	Partitions int
	Keys       [][]letterOf // in the order in which they are published
	Events     []upheaval
}

// letterOf is a message, and what its handler does.
type letterOf struct {
	Gap   time.Duration // after the one before it
	Takes time.Duration // each call
	Fails int           // so many calls fail; of InPlace's three tries
	How   string
}

// upheaval is what happens to a process.
type upheaval struct {
	At    time.Duration
	What  string
	Which int
	Lasts time.Duration // until it is noticed, how long a stop may take, or an order stands
}

const (
	tries    = 3
	partings = "orders"
)

var anyOrdered = rapid.Custom(func(t *rapid.T) ordered {
	h := ordered{
		Version:    rapid.SampledFrom([]simulated.Version{simulated.RabbitMQ3, simulated.RabbitMQ4, simulated.RabbitMQ43}).Draw(t, "version"),
		Latency:    rapid.SampledFrom([]time.Duration{0, 20 * time.Millisecond}).Draw(t, "latency"),
		Partitions: rapid.IntRange(1, 3).Draw(t, "partitions"),
	}
	letters := rapid.Custom(func(t *rapid.T) letterOf {
		return letterOf{
			Gap:   rapid.SampledFrom([]time.Duration{0, 0, time.Second, 5 * time.Second}).Draw(t, "gap"),
			Takes: rapid.SampledFrom([]time.Duration{0, 100 * time.Millisecond, 3 * time.Second}).Draw(t, "takes"),
			Fails: rapid.SampledFrom([]int{0, 0, 0, 1, 2, tries, 99}).Draw(t, "fails"),
			How:   rapid.SampledFrom([]string{"retry", "panic", "error"}).Draw(t, "how"),
		}
	})
	h.Keys = rapid.SliceOfN(rapid.SliceOfN(letters, 1, 8), 1, 4).Draw(t, "keys")
	h.Events = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) upheaval {
		return upheaval{
			At:    time.Duration(rapid.IntRange(0, 400).Draw(t, "at")) * 100 * time.Millisecond,
			What:  rapid.SampledFrom([]string{"join", "join", "stop", "cut", "kill", "restart", "pause", "limit"}).Draw(t, "what"),
			Which: rapid.IntRange(0, 9).Draw(t, "which"),
			Lasts: rapid.SampledFrom([]time.Duration{0, time.Second, 4 * time.Second}).Draw(t, "lasts"),
		}
	}), 0, 8).Draw(t, "events")
	slices.SortStableFunc(h.Events, func(a, b upheaval) int { return int(a.At - b.At) })
	return h
})

// orderly acts a history out.
type orderly struct {
	ordered
	sim *simulated.Broker
	cut atomic.Pointer[upheaval] // of the process named so; whoever meets it takes it
	who atomic.Pointer[string]

	mu      sync.Mutex
	wrong   error
	ended   map[string][]bool      // by key: whether the message with this number has ended once
	settled map[string]settledLast // by key: the last that was settled for the first time
	open    map[string]bool        // ids that have not been settled
	lives   []*mate
	joined  int
}

// member is a process.
type mate struct {
	sim   *simulated.Process
	group *consumer.Group
	all   []*consumer.Consumer
}

// obey has all partitions of the process obey an order, and is done when that is over.
func (m *mate) obey(o consumer.Order, lasts time.Duration) {
	for _, c := range m.all {
		c.Obey(o)
	}
	time.Sleep(lasts)
	for _, c := range m.all {
		c.Obey(consumer.Order{})
	}
}

func (w *orderly) journal() string {
	if w.sim == nil {
		return ""
	}
	var text []byte
	all := w.sim.Journal()
	for _, e := range all[max(0, len(all)-150):] {
		text = fmt.Appendln(text, e)
	}
	return string(text)
}

func (w *orderly) fail(format string, args ...any) {
	if w.wrong == nil {
		w.wrong = fmt.Errorf(format, args...)
	}
}

func (w *orderly) run() error {
	w.sim = simulated.New(simulated.Options{Version: w.Version, Latency: w.Latency, Faults: func(s simulated.Step) simulated.Fault {
		if who := w.who.Load(); who != nil && s.Process == *who && s.Purpose == "consume" {
			w.who.Store(nil)
			u := w.cut.Load()
			return simulated.Fault{Kind: simulated.Cut, Client: u.Lasts, Broker: 4*time.Second - u.Lasts}
		}
		return simulated.Fault{}
	}})
	app := w.sim.Process("app")
	sender, err := sending.New(app, 100, quietLog)
	if err != nil {
		return err
	}
	w.join()
	began := time.Now()
	var publishing sync.WaitGroup
	for k, letters := range w.Keys {
		publishing.Go(func() { w.publish(sender, fmt.Sprint("k", k), letters) })
	}
	for _, u := range w.Events {
		time.Sleep(time.Until(began.Add(u.At)))
		w.happen(u)
	}
	w.join() // somebody is there
	publishing.Wait()
	err = within(30*time.Minute, "settled", func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		return len(w.open) == 0
	})
	if err != nil {
		err = fmt.Errorf("%w: %v", err, w.open)
	}
	for _, m := range w.lives {
		_ = m.group.Stop(ended())
		_ = m.sim.Stop(ended())
		m.sim.Kill(0)
	}
	_ = sender.Stop(ended())
	_ = app.Stop(ended())
	time.Sleep(time.Hour) // handlers that were left alone
	for _, e := range w.sim.Journal() {
		if e.Kind == simulated.Violation {
			err = errors.Join(err, fmt.Errorf("%v", e))
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return errors.Join(w.wrong, err)
}

func (w *orderly) publish(sender *sending.Pipeline, key string, letters []letterOf) {
	rules := sending.Rules{Encode: func(any) (sending.Encoded, error) { return sending.Encoded{}, nil }}
	w.mu.Lock()
	w.ended[key], w.settled[key] = make([]bool, len(letters)), settledLast{number: -1}
	for i := range letters {
		w.open[fmt.Sprint(key, "-", i)] = true
	}
	w.mu.Unlock()
	for i, l := range letters {
		time.Sleep(l.Gap)
		id := fmt.Sprint(key, "-", i)
		for range 1000 {
			env, err := sending.Build(rules, partings, []byte(nil), []publisher.Option{publisher.MessageID(id), publisher.Partition(key, w.Partitions)})
			if err == nil {
				err = sender.Send(context.Background(), env)
			}
			if err == nil {
				break
			}
			time.Sleep(time.Second)
		}
	}
}

func (w *orderly) happen(u upheaval) {
	w.sim.Note(simulated.Event{Kind: simulated.Remark, Text: fmt.Sprintf("%+v", u)})
	switch u.What {
	case "join":
		w.join()
		return
	case "restart":
		w.sim.Restart(u.Lasts)
		return
	}
	if len(w.lives) == 0 {
		return
	}
	i := u.Which % len(w.lives)
	m := w.lives[i]
	name := m.sim.Name()
	switch u.What {
	case "cut":
		w.cut.Store(&u)
		w.who.Store(&name)
		return
	case "pause", "limit":
		go m.obey(consumer.Order{Paused: u.What == "pause", Limit: 1}, u.Lasts+500*time.Millisecond)
		return
	case "stop":
		ctx, cancel := context.WithTimeout(context.Background(), u.Lasts)
		_ = m.group.Stop(ctx)
		cancel()
		_ = m.sim.Stop(ended())
	}
	m.sim.Kill(u.Lasts)
	_ = m.group.Stop(ended())
	w.lives = slices.Delete(w.lives, i, i+1)
}

// join starts a process. It may be stopped before it has begun.
func (w *orderly) join() {
	w.joined++
	m := &mate{sim: w.sim.Process(fmt.Sprintf("p%d", w.joined))}
	spec := consumer.Spec{
		Queue: partings, Handler: w.handler(m), Timeout: 5 * time.Minute, MaxRetries: consumer.NoRetries,
		Use: []consumer.Middleware{use.InPlace(tries, 2*time.Second)},
	}
	for _, s := range consumer.Partitioned(w.Partitions, spec) {
		c, err := consumer.New(connection.Over(m.sim), s, settling{w}, quietLog)
		if err != nil {
			w.fail("%w", err)
			return
		}
		m.all = append(m.all, c)
	}
	var err error
	if m.group, err = consumer.NewGroup(m.all...); err != nil {
		w.fail("%w", err)
		return
	}
	w.lives = append(w.lives, m)
	go func() {
		if err := m.group.Start(context.Background()); errors.Is(err, consumer.ErrOtherPartitions) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.fail("%w", err)
		}
	}()
}

func split(id string) (key string, number int) {
	key, text, _ := strings.Cut(id, "-")
	_, _ = fmt.Sscan(text, &number)
	return key, number
}

func (w *orderly) handler(m *mate) consumer.Handler {
	calls := map[string]int{} // of this process
	return func(ctx context.Context, d consumer.Delivery) consumer.Result {
		key, i := split(d.MessageID)
		w.mu.Lock()
		for before, ended := range w.ended[key][:i] {
			if !ended {
				w.fail("%s begins in %s, and %s-%d has had no end", d.MessageID, m.sim.Name(), key, before)
			}
		}
		calls[d.MessageID]++
		call := calls[d.MessageID]
		w.mu.Unlock()
		w.sim.Note(simulated.Event{Kind: simulated.Remark, Process: m.sim.Name(), Message: d.MessageID, Text: fmt.Sprint("call ", call)})
		var k int
		_, _ = fmt.Sscanf(key, "k%d", &k)
		l := w.Keys[k][i]
		select {
		case <-time.After(l.Takes):
		case <-ctx.Done():
			return consumer.Retry(ctx.Err())
		case <-m.sim.Dead():
			return consumer.Retry(nil)
		}
		if call <= l.Fails && l.How == "error" {
			w.end(d.MessageID)
			return consumer.Error(nil)
		}
		if call > l.Fails || call%tries == 0 {
			w.end(d.MessageID)
		}
		switch {
		case call > l.Fails:
			return consumer.Ack()
		case l.How == "panic":
			panic("as planned")
		}
		return consumer.Retry(errors.New("as planned"))
	}
}

// end notes that a message has succeeded or failed for good.
func (w *orderly) end(id string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	key, i := split(id)
	w.ended[key][i] = true
}

// settledLast is a message's number in its key, and when it was settled.
type settledLast struct {
	number int
	at     time.Time
}

// settling looks at the order in which messages are settled. Monitors are called after the ack, so
// two processes may call theirs for one moment in either order.
type settling struct{ w *orderly }

func (settling) Begin(ctx context.Context, _ monitoring.Delivery) context.Context { return ctx }

func (s settling) End(_ context.Context, d monitoring.Delivery, o monitoring.Outcome) {
	if o.Action != monitoring.Acked && o.Action != monitoring.Parked {
		return
	}
	w := s.w
	w.mu.Lock()
	defer w.mu.Unlock()
	key, i := split(d.MessageID)
	if !w.open[d.MessageID] {
		return // handled twice
	}
	delete(w.open, d.MessageID)
	last := w.settled[key]
	if i < last.number && time.Since(last.at) > 0 {
		w.fail("%s is settled after %s-%d", d.MessageID, key, last.number)
	}
	w.settled[key] = settledLast{max(i, last.number), time.Now()}
}
