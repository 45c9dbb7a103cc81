package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/bench/turn"
)

// memoryRun is what becomes of one process's memory under the steady load, in the form of its JSON
// file.
type memoryRun struct {
	When    time.Time
	Machine machine
	Rate    int     // messages a second
	Seconds float64 // of load
	Warm    float64 // seconds at the start that the trend leaves out

	Published, Unconfirmed, Acked, Retried, Parked int64 // messages

	Trend   trend
	Samples []vitals
}

const (
	memoryFile = "memory.json"
	memoryPlot = "memory.svg"

	sampleEvery = 10 * time.Second

	// A live heap that grows faster fails the run. A shorter run than longEnough does not tell: the
	// heap of each moment is some MiB more or less.
	growthBound = 5 // MiB an hour
	longEnough  = 30 * time.Minute
)

// errGrows is the error of a run whose live heap grows.
var errGrows = errors.New("the live heap grows")

// judge says whether the run has shown that memory grows.
func (m *memoryRun) judge() error {
	if m.Seconds < longEnough.Seconds() || m.Trend.Live <= growthBound {
		return nil
	}
	return fmt.Errorf("%w: by %.1f MiB an hour, the bound is %d", errGrows, m.Trend.Live, growthBound)
}

// measureMemory runs the steady load for a while, and takes samples. It writes the results after
// each sample, so that an interrupted run has some.
func measureMemory(ctx context.Context, o options, stdout io.Writer, stderr *os.File) int {
	b, err := openBroker(o.url)
	if err != nil {
		fmt.Fprintln(stderr, "bench:", err)
		return exitFailed
	}
	defer b.close()
	m := &memoryRun{When: time.Now().Round(time.Second), Machine: thisMachine(b), Rate: steadyRate, Warm: o.memory.Seconds() / 6}
	show, clearLine := newProgress(stderr)
	err = m.play(ctx, b, o.memory, func() error {
		last := m.Samples[len(m.Samples)-1]
		show("%.0f of %.0f s: live heap %.1f MiB, RSS %.1f MiB", last.Second, o.memory.Seconds(), last.Live, last.RSS)
		return m.write(o.out)
	})
	clearLine()
	m.print(stdout)
	switch {
	case err != nil:
	case ctx.Err() != nil:
		fmt.Fprintln(stderr, "bench: interrupted")
		return exitInterrupted
	default:
		err = errors.Join(m.write(o.out), m.judge())
	}
	if err != nil {
		fmt.Fprintln(stderr, "bench: -memory:", err)
		return exitFailed
	}
	fmt.Fprintf(stdout, "\nwritten: %s, %s\n", filepath.Join(o.out, memoryFile), filepath.Join(o.out, memoryPlot))
	return 0
}

// play declares queues, runs the load and deletes the queues. It calls sampled after each sample.
func (m *memoryRun) play(ctx context.Context, b *broker, whole time.Duration, sampled func() error) (err error) {
	v := variant{workload: workload{Backoff: []time.Duration{pause}}, QueueType: mainType, Size: mainSize}
	r := &run{&turn.Run{Order: turn.Order{URL: b.url, Queue: newQueue(), QueueType: v.QueueType, Size: v.Size}}}
	t, err := topologyOf(v, r.Queue)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.remove(t)) }()
	if err := b.declare(t); err != nil {
		return err
	}
	w := &observer{run: m, broker: b, load: &steady{queue: r.Queue, zero: time.Now()}, parked: t.Queues[len(t.Queues)-1].Name, sampled: sampled}
	ctx, cancel := context.WithTimeout(ctx, whole)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- w.load.run(ctx, r) }()
	if err := w.until(ctx, cancel, ended, min(sampleEvery, whole/30)); err != nil {
		return err
	}
	if err := w.account(); err != nil {
		return err
	}
	return b.depth(context.WithoutCancel(ctx), r.Queue, 0, 0)
}

// observer takes the samples of a run.
type observer struct {
	run     *memoryRun
	broker  *broker
	load    *steady
	parked  string // the error queue
	purged  int    // messages of it so far
	sampled func() error
}

// until takes samples until the load has ended. An error ends the load.
func (w *observer) until(ctx context.Context, cancel func(), ended <-chan error, every time.Duration) (err error) {
	p := newPulse(w.broker.pids)
	for tick := time.Tick(every); ; {
		select {
		case e := <-ended:
			return errors.Join(err, e)
		case <-tick:
		}
		if ctx.Err() != nil {
			continue // what is left is handled, and that is no steady load
		}
		if err = w.sample(p); err != nil {
			cancel()
		}
	}
}

// sample takes a sample and empties the error queue.
func (w *observer) sample(p *pulse) error {
	m, load := w.run, w.load
	m.Samples = append(m.Samples, p.take(load.done()+load.retried.Load(), load.takeTimes()))
	m.Seconds = m.Samples[len(m.Samples)-1].Second
	m.Trend = trendOf(m.warmed())
	w.count()
	return errors.Join(w.purge(), w.sampled())
}

func (w *observer) count() {
	m, load := w.run, w.load
	m.Published, m.Unconfirmed = load.published.Load(), load.unconfirmed.Load()
	m.Acked, m.Retried, m.Parked = load.acked.Load(), load.retried.Load(), load.parked.Load()
}

func (w *observer) purge() error {
	return w.broker.with(func(ch *amqp.Channel) error {
		n, err := ch.QueuePurge(w.parked, false)
		w.purged += n
		return err
	})
}

// account compares what was published with what became of it, after the load. A message may be
// handled twice, and may not be lost.
func (w *observer) account() error {
	err := w.purge()
	w.count()
	m := w.run
	switch {
	case err != nil:
		return err
	case m.Acked+m.Parked < m.Published:
		return fmt.Errorf("%d messages were published, %d acked and %d parked", m.Published, m.Acked, m.Parked)
	case int64(w.purged) < m.Parked:
		return fmt.Errorf("%d messages were parked, and %d were in the error queue", m.Parked, w.purged)
	}
	return nil
}

// write writes the results and their plot.
func (m *memoryRun) write(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	text, err := json.MarshalIndent(m, "", "\t")
	if err != nil {
		return err
	}
	return errors.Join(os.WriteFile(filepath.Join(dir, memoryFile), append(text, '\n'), 0o644), m.draw(dir))
}

func (m *memoryRun) draw(dir string) error {
	return os.WriteFile(filepath.Join(dir, memoryPlot), []byte(m.chart().draw()), 0o644)
}

// show prints and plots the results of an earlier run.
func (m *memoryRun) show(dir string, stdout, stderr io.Writer) int {
	m.print(stdout)
	if err := errors.Join(os.MkdirAll(dir, 0o755), m.draw(dir)); err != nil {
		fmt.Fprintln(stderr, "bench:", err)
		return exitFailed
	}
	fmt.Fprintf(stdout, "\nwritten: %s\n", filepath.Join(dir, memoryPlot))
	return 0
}

// print sums the run up.
func (m *memoryRun) print(w io.Writer) {
	if len(m.Samples) == 0 {
		return
	}
	fmt.Fprintf(w, "%s published, %s not confirmed, %s acked, %s retried, %s parked in %.0f s\n",
		number(float64(m.Published), 0), number(float64(m.Unconfirmed), 0), number(float64(m.Acked), 0), number(float64(m.Retried), 0), number(float64(m.Parked), 0), m.Seconds)
	fmt.Fprintf(w, "  %-22s%9s%9s%9s%15s\n", "after the warm-up", "median", "min", "max", "in an hour")
	for _, line := range []struct {
		what     string
		decimals int
		of       func(vitals) float64
		slope    string
	}{
		{"live heap, MiB", 2, func(v vitals) float64 { return v.Live }, fmt.Sprintf("%+.2f", m.Trend.Live)},
		{"RSS, MiB", 1, func(v vitals) float64 { return v.RSS }, fmt.Sprintf("%+.2f", m.Trend.RSS)},
		{"goroutines", 0, func(v vitals) float64 { return v.Goroutines }, fmt.Sprintf("%+.2f", m.Trend.Goroutines)},
		{"messages a second", 0, func(v vitals) float64 { return v.Handled }, ""},
		{"p99 to the handler, ms", 1, func(v vitals) float64 { return v.P99 }, ""},
		{"client CPU, cores", 2, func(v vitals) float64 { return v.Client }, ""},
		{"broker CPU, cores", 2, func(v vitals) float64 { return v.Broker }, ""},
	} {
		var values []float64
		for _, v := range m.warmed() {
			values = append(values, line.of(v))
		}
		if len(values) == 0 {
			continue
		}
		fmt.Fprintf(w, "  %-22s%9s%9s%9s%15s\n", line.what, number(median(values), line.decimals),
			number(slices.Min(values), line.decimals), number(slices.Max(values), line.decimals), line.slope)
	}
	if m.Seconds < longEnough.Seconds() {
		fmt.Fprintf(w, "  the growth of less than %v is a hint only\n", longEnough)
	}
}

// warmed returns the samples after the warm-up.
func (m *memoryRun) warmed() []vitals {
	i := slices.IndexFunc(m.Samples, func(v vitals) bool { return v.Second > m.Warm })
	if i < 0 {
		return nil
	}
	return m.Samples[i:]
}

// chart draws memory, goroutines and latency over the minutes of the run.
func (m *memoryRun) chart() chart {
	minutes := func(of func(vitals) float64) (points []point) {
		for _, v := range m.Samples {
			points = append(points, point{v.Second / 60, of(v)})
		}
		return points
	}
	return chart{
		Title: fmt.Sprintf("One process at %s messages a second", number(float64(m.Rate), 0)),
		Under: fmt.Sprintf("published, confirmed and handled; one in %d retried, one in %s parked; RabbitMQ %s", retryEvery, number(parkEvery, 0), m.Machine.Broker),
		X:     "minutes",
		Panels: []panel{
			{Unit: "MiB", Height: 170, Lines: []line{
				{"RSS", minutes(func(v vitals) float64 { return v.RSS })},
				{"live heap", minutes(func(v vitals) float64 { return v.Live })},
			}},
			{Unit: "goroutines", Height: 80, Lines: []line{{"goroutines", minutes(func(v vitals) float64 { return v.Goroutines })}}},
			{Unit: "ms", Height: 110, Lines: []line{{"p99 from publish to handler", minutes(func(v vitals) float64 { return v.P99 })}}},
		},
	}
}
