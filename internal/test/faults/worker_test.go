//go:build unix

package faults_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"os"
	"os/signal"
	"runtime"
	"sync"
	"syscall"
	"time"

	"go.uber.org/fx"
	"go.uber.org/goleak"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/publisher"
)

// workerVariable makes this test binary a worker. Its value is a workerConfig as JSON.
const workerVariable = "BUNNICULA_FAULTS_WORKER"

// Exit codes of a worker.
const (
	exitStart   = 11 // the application did not start
	exitStop    = 12 // it did not stop in time
	exitLeak    = 13 // it left goroutines behind
	exitJournal = 14
	exitOrphan  = 15 // the test is gone
	exitKiller  = 16 // a message has ended the process
)

// workerConfig configures a worker process.
type workerConfig struct {
	Connection connectionJSON
	Consumers  []specJSON
	Publisher  bool           // the application publishes too
	Monitor    bool           // a monitor does what messages ask of it; see monitor
	MemoryMiB  int            // how much its memory may grow; more kills it; 0 is no limit
	Redrive    *redriveConfig // the process redrives messages instead of consuming
	Clock      clock          // the clock of its host
	Journal    string
	StopWithin time.Duration // the grace period of an orchestrator
}

// specJSON and connectionJSON are written as JSON without the fields that are code.
type specJSON struct {
	consumer.Spec
	Handler, Use, OnFatal *struct{} `json:",omitempty"`
}

type plainConfig connection.Config // the JSON of a Config hides its passwords

type connectionJSON struct {
	plainConfig
	TLS *struct{} `json:",omitempty"`
}

// worker is an application in its own process.
type worker struct {
	config  workerConfig
	journal *journal
	vitals  *vitalsFile
	pub     *publisher.Client
	seen    sync.Map // message ids for which first was called
}

// farewell is the last line that a worker prints.
type farewell struct {
	StaleAcks     int    `json:"stale_acks"`
	CopiesBlocked int    `json:"copies_blocked"`
	Stuck         int    `json:"stuck"`
	SessionsLost  int    `json:"sessions_lost"`
	MaxGoroutines int    `json:"max_goroutines"`
	StopError     string `json:"stop_error,omitempty"`
	Leaks         string `json:"leaks,omitempty"`
}

const (
	readyLine    = "ready"
	farewellLine = "farewell "
)

// work is the main function of a worker process. It returns the exit code.
func work(config string) int {
	go endWithTheTest()
	before := goleak.IgnoreCurrent()
	w := &worker{}
	err := json.Unmarshal([]byte(config), &w.config)
	if err == nil {
		w.journal, err = openJournal(w.config.Journal)
	}
	if err == nil {
		w.vitals, err = openVitals(w.config.Journal)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return exitStart
	}
	if w.config.Redrive != nil {
		return w.redrive()
	}
	if w.config.MemoryMiB > 0 {
		limitMemory(w.config.MemoryMiB)
	}
	code, last := w.run(before)
	line, err := json.Marshal(last)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	fmt.Println(farewellLine + string(line))
	return code
}

// endWithTheTest ends a worker whose test has died. The worker's standard input is a pipe whose
// other end only the test holds.
func endWithTheTest() {
	_, _ = io.Copy(io.Discard, bufio.NewReader(os.Stdin))
	os.Exit(exitOrphan)
}

func (w *worker) run(before goleak.Option) (int, farewell) {
	var last farewell
	terminated, ignore := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer ignore()
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelInfo}))
	var (
		conn  *connection.Connection
		group *consumer.Group
	)
	options := []fx.Option{
		connection.Module, consumer.Module, fx.Supply(connection.Config(w.config.Connection.plainConfig), log), fx.NopLogger,
		fx.Populate(&conn, &group),
	}
	if w.config.Publisher {
		options = append(options, publisher.Module, fx.Populate(&w.pub))
	}
	if w.config.Monitor {
		options = append(options, monitoring.Provide(func() monitoring.Monitor { return monitor{} }))
	}
	for _, s := range w.config.Consumers {
		spec := s.Spec
		spec.Arguments = wholeNumbers(spec.Arguments)
		spec.Handler = consumer.JSON(w.handle)
		spec.OnFatal = func(err error) { w.vitals.write(vitals{Queue: spec.Queue, Fatal: err.Error()}) }
		options = append(options, consumer.Provide(func() consumer.Spec { return spec }))
	}
	app := fx.New(options...)
	watched := w.vitals.watch(terminated, group)
	start, cancel := context.WithTimeout(terminated, time.Minute)
	defer cancel()
	started := false
	if err := app.Start(start); err != nil {
		log.Error("the app did not start", "err", err)
		if terminated.Err() == nil {
			last.StopError = "start: " + err.Error()
			return exitStart, last
		}
	} else {
		started = true
		fmt.Println(readyLine)
	}
	most := countGoroutines(terminated)
	<-watched

	stop, cancel := context.WithTimeout(context.Background(), w.config.StopWithin)
	defer cancel()
	stopErr := app.Stop(stop)
	if !started { // fx runs no more hooks of an application whose start was cancelled
		stopErr = errors.Join(stopErr, group.Stop(stop))
		if w.pub != nil {
			stopErr = errors.Join(stopErr, w.pub.Stop(stop))
		}
		stopErr = errors.Join(stopErr, conn.Stop(stop))
	}
	for _, h := range group.Health() {
		last.StaleAcks += h.StaleAcks
		last.CopiesBlocked += h.CopiesBlocked
		last.Stuck += h.Stuck
	}
	last.SessionsLost = conn.Health().Consuming.Lost + conn.Health().Publishing.Lost
	last.MaxGoroutines = most
	leaks := goleak.Find(before)
	if leaks != nil {
		last.Leaks = leaks.Error()
	}
	switch {
	case stopErr != nil:
		last.StopError = stopErr.Error()
		return exitStop, last
	case leaks != nil:
		return exitLeak, last
	}
	return 0, last
}

// countGoroutines returns the maximum number of goroutines until ctx ends.
func countGoroutines(ctx context.Context) int {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for most := 0; ; {
		most = max(most, runtime.NumGoroutine())
		select {
		case <-tick.C:
		case <-ctx.Done():
			return most
		}
	}
}

// handle is every worker's handler: it does what the message says, and keeps the journal.
func (w *worker) handle(ctx context.Context, msg consumer.Message[order]) (result consumer.Result) {
	o := msg.Payload
	b, arg := behaviourOf(o.Do)
	e := entry{What: begin, Lane: o.Lane, N: o.N, Attempt: msg.Attempt, Redelivered: msg.Redelivered}
	e.Altered = compose(o.Lane, o.N, o.Do).altered(msg.MessageID, msg.Body, msg.Headers)
	w.journal.write(e)
	e.What = end
	// The deferred function runs after a panic and runtime.Goexit too, which set no result.
	defer func() {
		w.journal.write(e)
	}()
	result = b.do(ctx, visit{Delivery: msg.Delivery, order: o, arg: arg, worker: w})
	e.Said = word(result)
	return result
}

// word returns a handler's Result in one word.
func word(r consumer.Result) string {
	switch {
	case r.Acked():
		return "ack"
	case r.Snoozed():
		return "snooze"
	case r.Errored():
		return "error"
	}
	return "retry"
}

// first says whether this is the first call for a message.
func (w *worker) first(messageID string) bool {
	_, before := w.seen.LoadOrStore(messageID, true)
	return !before
}

// after returns the queue of the consumer behind the one of this queue.
func (w *worker) after(queue string) string {
	for i, s := range w.config.Consumers {
		if s.Queue == queue {
			return w.config.Consumers[(i+1)%len(w.config.Consumers)].Queue
		}
	}
	return queue
}

// wholeNumbers turns floats, which JSON has made of integers, into integers again.
func wholeNumbers(m map[string]any) map[string]any {
	for k, v := range m {
		if f, ok := v.(float64); ok && f == math.Trunc(f) {
			m[k] = int64(f)
		}
	}
	return m
}
