package publisher_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/internal/simulated"
	"github.com/bunnicula-go/bunnicula/internal/transport"
	"github.com/bunnicula-go/bunnicula/publisher"
)

// world is a history that is being run.
type world struct {
	history
	sim   *simulated.Broker
	armed atomic.Bool // faults happen from now on
	// A confirm will not come as long as its channel lives.
	hung atomic.Bool

	mu      sync.Mutex
	results []result
	wrong   error // the first error that was found
}

// result is what a publish returned.
type result struct {
	kind    kind
	id, key string
	err     error
	within  time.Duration // the timeout of its context
	took    time.Duration
	stopped bool // the publisher was stopped meanwhile
}

const faultsEnd = 40 * time.Second

func (w *world) check(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.wrong == nil {
		w.wrong = err
	}
}

// tail returns the end of the journal.
func (w *world) tail(n int) string {
	if w.sim == nil {
		return ""
	}
	var text []byte
	all := w.sim.Journal()
	for _, e := range all[max(0, len(all)-n):] {
		text = fmt.Appendln(text, e)
	}
	return string(text)
}

func (w *world) fault(s simulated.Step) simulated.Fault {
	if s.Process == control || !w.armed.Load() {
		return simulated.Fault{}
	}
	for _, f := range w.faults {
		if f.step == s.Kind && f.n == s.N {
			if f.Kind == simulated.NoConfirm {
				w.hung.Store(true)
			}
			return f.Fault
		}
	}
	return simulated.Fault{}
}

// control is a process to which no fault happens.
const control = "control"

// run runs the history, and returns what is wrong. It must be called in a bubble.
func (w *world) run() error {
	o := w.broker
	o.Faults = w.fault
	w.sim = simulated.New(o)
	overseer, app := w.sim.Process(control), w.sim.Process("app")
	defer func() { _ = overseer.Stop(context.Background()) }()
	defer func() { _ = app.Stop(context.Background()) }()
	w.check(declare(overseer))
	pub, err := publisher.New(connection.Over(app), publisher.Config{Window: w.window}, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}

	var stopped atomic.Bool
	stop := sync.OnceFunc(func() {
		stopped.Store(true)
		const patience = 2 * time.Second
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		began := time.Now()
		_ = pub.Stop(ctx)
		if took := time.Since(began); took > patience+time.Second {
			w.check(fmt.Errorf("Stop took %s", took))
		}
	})
	defer stop()
	w.armed.Store(true)
	var all sync.WaitGroup
	for i, m := range w.messages {
		all.Go(func() {
			time.Sleep(m.at)
			w.publish(pub, i, m, &stopped)
		})
	}
	if w.stop > 0 {
		all.Go(func() {
			time.Sleep(w.stop)
			stop()
		})
	}
	time.Sleep(faultsEnd)
	w.armed.Store(false)
	if w.hung.Load() {
		w.sim.Restart(0)
	}
	all.Wait()
	w.check(w.look())
	return w.wrong
}

func declare(conn transport.Connection) error {
	s, err := conn.Publishing().Session(context.Background())
	if err != nil {
		return err
	}
	ch, err := s.Channel(context.Background())
	if err != nil {
		return err
	}
	_, err = ch.QueueDeclare(roomy, true, false, false, false, amqp.Table{"x-queue-type": "quorum"})
	_, err2 := ch.QueueDeclare(small, true, false, false, false, amqp.Table{"x-queue-type": "quorum", "x-max-length": int64(3), "x-overflow": "reject-publish"})
	return errors.Join(err, err2)
}

// publish publishes a planned message or batch, and records the result.
func (w *world) publish(pub *publisher.Client, number int, m planned, stopped *atomic.Bool) {
	ctx, cancel := context.WithTimeout(context.Background(), m.within)
	defer cancel()
	var batch []publisher.Message
	var results []result
	for i, k := range m.what {
		r := result{kind: k, id: fmt.Sprintf("m%d.%d", number+1, i+1), key: roomy, within: m.within}
		var opts []publisher.Option
		switch k {
		case limited:
			r.key = small
		case unroutable:
			r.key = "nowhere"
		case careless:
			r.key = "nowhere"
			opts = append(opts, publisher.NotMandatory())
		case twin:
			r.key = "nowhere"
			r.id = fmt.Sprintf("m%d.1", max(number, 1))
			if i > 0 {
				r.id = results[i-1].id
			}
		case noExchange:
			opts = append(opts, publisher.Exchange("no-such-exchange"))
		case foreignUser:
			opts = append(opts, publisher.UserID("somebody-else"))
		}
		results = append(results, r)
		batch = append(batch, publisher.Message{RoutingKey: r.key, Payload: r.id, Options: append(opts, publisher.MessageID(r.id))})
	}
	began := time.Now()
	switch m.how {
	case "publish":
		results[0].err = pub.Publish(ctx, batch[0].RoutingKey, batch[0].Payload, batch[0].Options...)
	case "async":
		c, err := pub.PublishAsync(ctx, batch[0].RoutingKey, batch[0].Payload, batch[0].Options...)
		if err == nil {
			<-c.Done()
			err = c.Err()
		}
		results[0].err = err
	case "batch":
		err := pub.PublishBatch(ctx, batch...)
		var failed *publisher.BatchError
		if errors.As(err, &failed) {
			for i, err := range failed.Errs {
				results[i].err = err
			}
		} else if err != nil {
			w.check(fmt.Errorf("a batch returned %w", err))
		}
	}
	took := time.Since(began)
	for _, r := range results {
		r.took, r.stopped = took, stopped.Load()
		w.sim.Note(simulated.Event{Kind: simulated.Remark, Process: "app", Message: r.id, Queue: r.key, Text: fmt.Sprintf("%s: %v", r.kind, r.err)})
		w.mu.Lock()
		w.results = append(w.results, r)
		w.mu.Unlock()
	}
}

// sent is a message on the wire.
type sent struct{ id, key string }

// inFlight are the messages that were written and not confirmed, by channel, until one of them is
// so old that its key may be stuck. From then on the window says nothing: what is stuck has places
// of its own.
type inFlight struct {
	channels map[int][]simulated.Event
	stuck    bool
}

// stuckAfter is how old a message is at least when its key becomes stuck: a lane asks the broker
// after 400 ms, and waits as long for the answer.
const stuckAfter = 800 * time.Millisecond

// follow returns how many messages have a place in the window for certain, on the event's channel.
func (f *inFlight) follow(e simulated.Event) int {
	for _, written := range f.channels {
		f.stuck = f.stuck || slices.ContainsFunc(written, func(w simulated.Event) bool { return e.At-w.At >= stuckAfter })
	}
	switch e.Kind {
	case simulated.Published:
		f.channels[e.Channel] = append(f.channels[e.Channel], e)
	case simulated.Confirmed, simulated.Nacked:
		i := slices.IndexFunc(f.channels[e.Channel], func(w simulated.Event) bool { return w.Message == e.Message && w.Queue == e.Queue })
		if i >= 0 {
			f.channels[e.Channel] = slices.Delete(f.channels[e.Channel], i, i+1)
		}
	case simulated.Ended:
		delete(f.channels, e.Channel)
	}
	if f.stuck {
		return 0
	}
	return len(f.channels[e.Channel])
}

// look compares what each publish returned with what has happened.
func (w *world) look() error {
	happened := map[simulated.EventKind]map[sent]bool{}
	flight := inFlight{channels: map[int][]simulated.Event{}}
	for _, e := range w.sim.Journal() {
		of := sent{e.Message, e.Queue}
		if n := flight.follow(e); n > w.window {
			return fmt.Errorf("%d messages in flight at %s, the window is %d", n, e.At, w.window)
		}
		switch e.Kind {
		case simulated.Violation:
			return fmt.Errorf("%s", e)
		case simulated.Published:
		case simulated.Confirmed, simulated.Nacked:
			if e.Kind == simulated.Confirmed && !e.OK {
				continue // returned by the broker, or not mandatory
			}
		case simulated.Returned, simulated.Faulted:
		default:
			continue
		}
		if happened[e.Kind] == nil {
			happened[e.Kind] = map[sent]bool{}
		}
		happened[e.Kind][of] = true
	}
	there := map[sent]bool{}
	for _, q := range []string{roomy, small} {
		for _, d := range w.sim.Messages(q) {
			there[sent{d.MessageId, q}] = true
		}
	}
	for _, r := range w.results {
		if err := r.look(happened, there[sent{r.id, r.key}] || w.sim.WentWithQueue(r.id)); err != nil {
			return fmt.Errorf("%s to %s, %s: returned %v after %s of %s: %w", r.id, r.key, r.kind, r.err, r.took, r.within, err)
		}
	}
	return nil
}

// look returns what is not true about a result.
func (r result) look(happened map[simulated.EventKind]map[sent]bool, there bool) error {
	of := sent{r.id, r.key}
	if r.took > r.within+10*time.Millisecond {
		return errors.New("it is late")
	}
	var refused *publisher.RefusedError
	switch {
	case r.err == nil && r.kind == careless:
		return nil
	case r.err == nil:
		if !happened[simulated.Confirmed][of] || !there {
			return errors.New("no confirm for it, or it is in no queue")
		}
	case errors.Is(r.err, publisher.ErrUnroutable):
		if !happened[simulated.Returned][of] || r.kind == careless {
			return errors.New("it was not returned")
		}
	case errors.Is(r.err, publisher.ErrNacked):
		if !happened[simulated.Nacked][of] {
			return errors.New("it was not nacked")
		}
	case errors.As(r.err, &refused):
		if r.kind != noExchange && r.kind != foreignUser && !happened[simulated.Faulted][of] {
			return errors.New("it is innocent")
		}
	case errors.Is(r.err, context.DeadlineExceeded):
		if r.took < r.within {
			return errors.New("its time is not over")
		}
		if r.within > 2*faultsEnd {
			return errors.New("nothing was wrong any more")
		}
	case errors.Is(r.err, publisher.ErrClosed):
		if !r.stopped {
			return errors.New("nobody stopped the publisher")
		}
	default:
		return errors.New("what is that?")
	}
	return nil
}
