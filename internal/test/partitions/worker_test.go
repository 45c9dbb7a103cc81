package partitions_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/topology"
	"github.com/bunnicula-go/bunnicula/use"
)

// taskVariable makes the test binary a process that consumes, instead of running tests.
const taskVariable = "BUNNICULA_TEST_PARTITIONS"

// variant is how partitions are consumed.
type variant string

const (
	block  variant = "block"  // a message is tried again in place
	skip   variant = "skip"   // it waits in a retry queue, and those behind it go on
	shared variant = "shared" // block without SingleActive: what nobody should do
)

// task is what a process does.
type task struct {
	Name       string
	URL        string // of the broker
	Queue      string
	Partitions int
	Variant    variant
	Ledger     string
	Seed       uint64
	Backoff    time.Duration // of the variant skip
}

// specs are those of the consumers of a process.
func (h *hands) specs() []consumer.Spec {
	t := h.task
	spec := consumer.Spec{
		Queue: t.Queue, Handler: consumer.JSON(h.handle), Timeout: 20 * time.Second, Use: []consumer.Middleware{h.begin},
	}
	switch t.Variant {
	case skip:
		spec.MaxRetries, spec.Backoff = tries-1, []time.Duration{t.Backoff}
	default:
		spec.MaxRetries, spec.Use = consumer.NoRetries, append(spec.Use, use.InPlace(tries, 5*time.Millisecond))
	}
	if t.Variant != shared {
		return consumer.Partitioned(t.Partitions, spec)
	}
	var specs []consumer.Spec
	for i := range t.Partitions {
		one := spec
		one.Queue, one.ErrorQueue, one.Concurrency = topology.PartitionQueue(t.Queue, i), topology.ErrorQueue(t.Queue), 1
		specs = append(specs, one)
	}
	return specs
}

const (
	readyLine    = "ready"
	priorityLine = "priority"
)

// hands is a process: what its handlers do.
type hands struct {
	task
	ledger ledger

	mu    sync.Mutex
	tried map[string]int // message id to tries in this process
}

// play is the main function of a process. It ends at SIGTERM.
func play(text string) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	h := &hands{tried: map[string]int{}}
	if err := h.play(ctx, text); err != nil {
		fmt.Println("failed:", err)
		return 1
	}
	return 0
}

func (h *hands) play(ctx context.Context, text string) (err error) {
	if err := json.Unmarshal([]byte(text), &h.task); err != nil {
		return err
	}
	if h.ledger, err = openLedger(h.Ledger); err != nil {
		return err
	}
	log := slog.New(losses{slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{Level: slog.LevelWarn}), h, ""})
	conn, err := connection.New(connection.Config{
		URL: h.URL, Name: h.Name, MinBackoff: 20 * time.Millisecond, MaxBackoff: 200 * time.Millisecond,
	}, log)
	if err != nil {
		return err
	}
	var consumers []*consumer.Consumer
	for _, spec := range h.specs() {
		fmt.Println(priorityLine, spec.Queue, spec.Priority)
		c, err := consumer.New(conn, spec, nil, log)
		if err != nil {
			return err
		}
		consumers = append(consumers, c)
	}
	group, err := consumer.NewGroup(consumers...)
	if err != nil {
		return err
	}
	if err := group.Start(ctx); err != nil {
		return err
	}
	fmt.Println(readyLine, h.Name)
	<-ctx.Done()
	end, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	return errors.Join(group.Stop(end), conn.Stop(end))
}

// begin is the outermost middleware. It writes down that a handler has a message, before any try.
func (h *hands) begin(next consumer.Handler) consumer.Handler {
	return func(ctx context.Context, d consumer.Delivery) consumer.Result {
		var m message
		if err := json.Unmarshal(d.Body, &m); err != nil {
			return consumer.Error(err)
		}
		h.ledger.write(entry{what: begun, process: h.Name, message: m, again: d.Redelivered})
		return next(ctx, d)
	}
}

// handle is one try.
func (h *hands) handle(ctx context.Context, m consumer.Message[message]) consumer.Result {
	time.Sleep(m.Payload.takes(h.Seed))
	e := entry{process: h.Name, message: m.Payload, again: m.Redelivered}
	if m.Payload.fails(h.Seed, h.Name, h.try(m.Payload)) {
		e.what = failed
		h.ledger.write(e)
		return consumer.Retry(errors.New("two of a hundred fail"))
	}
	e.what = effect
	h.ledger.write(e)
	return consumer.Ack()
}

func (h *hands) try(m message) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.tried[m.id()]++
	return h.tried[m.id()]
}

// losses is a log that writes into the ledger which consumer has lost its session.
type losses struct {
	slog.Handler
	h        *hands
	consumer string
}

func (l losses) Handle(ctx context.Context, r slog.Record) error {
	if r.Message == "consumer interrupted" {
		l.h.ledger.write(entry{what: lost, process: l.h.Name, message: message{Key: l.consumer}})
	}
	return l.Handler.Handle(ctx, r)
}

func (l losses) WithAttrs(attrs []slog.Attr) slog.Handler {
	l.Handler = l.Handler.WithAttrs(attrs)
	for _, a := range attrs {
		if a.Key == "consumer" {
			l.consumer = a.Value.String()
		}
	}
	return l
}
