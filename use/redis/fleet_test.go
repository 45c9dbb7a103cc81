package redis_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/internal/test/redistest"
	"github.com/bunnicula-go/bunnicula/use"
)

// What a fleet is measured by.
const (
	rate     = 50                         // in a second, in all processes together
	measured = 30 * time.Second           // from when all messages are there
	enough   = rate * 30 * 95 / 100       // handlers in that time
	messages = rate*30 + rate*30*5/100    // some more than can be handled in it
	copies   = messages + messages*10/100 // by snoozes, of a keyed limit
)

func TestFourProcessesKeepOneLimitAlthoughOneIsKilled(t *testing.T) {
	amqptest.Long(t)
	if slowed {
		t.Skip("four processes with the race detector are too slow for two processors: make redis measures them")
	}
	server := redistest.Start(t)
	for name, o := range map[string]order{
		"Rate":       {Concurrency: 10},
		"RatePerKey": {Keyed: true, Concurrency: 40}, // three processes have twice the rate together
	} {
		t.Run(name, func(t *testing.T) {
			o.URL, o.Redis, o.Queue, o.Limit = amqptest.URL(t), server.Addr, ladderQueue(t, "fleet"), use.Limit{Events: rate}
			f := startFleet(t, o)
			publish(t, f.order.Queue, 0, messages)
			f.from = time.Duration(time.Now().UnixNano())
			time.Sleep(measured / 2)
			f.workers[0].Kill()
			time.Sleep(measured / 2) // to look would take the processes' CPU
			amqptest.Eventually(t, time.Minute, func() bool { return len(f.read().ids) == messages }, "not all %d messages are handled", messages)
			f.stop()
			f.judge()
		})
	}
}

// fleet is the processes that handle the messages of one queue.
type fleet struct {
	t       *testing.T
	order   order
	workers []*amqptest.Process
	from    time.Duration // since 1970: when it is measured
}

func startFleet(t *testing.T, o order) *fleet {
	f := &fleet{t: t, order: o}
	for range 4 {
		f.workers = append(f.workers, startAs(t, workerVar, o))
	}
	for _, w := range f.workers {
		w.Await(readyLine, 30*time.Second)
	}
	return f
}

// account is what the processes have done so far.
type account struct {
	ids     map[string]int  // how often a message was handled
	starts  []time.Duration // of handlers, in order
	snoozes int
	errors  []string // of them
}

func (f *fleet) read() account {
	f.t.Helper()
	a := account{ids: map[string]int{}}
	for _, w := range f.workers {
		for _, line := range w.Lines() {
			word, rest, _ := strings.Cut(line, " ")
			id, rest, _ := strings.Cut(rest, " ")
			switch {
			case word == startLine:
				ns, err := strconv.ParseInt(rest, 10, 64)
				if err != nil {
					continue // cut by a kill
				}
				a.ids[id]++
				a.starts = append(a.starts, time.Duration(ns))
			case word == snoozedLine:
				a.snoozes++
				if rest != use.ErrLimit.Error() {
					a.errors = append(a.errors, rest)
				}
			}
		}
	}
	slices.Sort(a.starts)
	return a
}

func (f *fleet) stop() {
	for _, w := range f.workers[1:] {
		w.Terminate()
	}
	for _, w := range f.workers[1:] {
		if code := w.Wait(30 * time.Second); code != 0 {
			f.t.Errorf("a worker has ended with %d", code)
		}
	}
}

// judge checks what was promised.
func (f *fleet) judge() {
	f.t.Helper()
	a := f.read()
	twice := 0
	for _, n := range a.ids {
		twice += n - 1
	}
	most, within := most(a.starts, time.Second), a.between(f.from, f.from+measured)
	f.t.Logf("%d messages, %d twice; at most %d handlers began in a second, and %d in %s, of %d; %d snoozes (%.3f a message), %d of them for errors: %.200q",
		messages, twice, most, within, measured, rate*30, a.snoozes, float64(a.snoozes)/messages, len(a.errors), a.errors[:min(1, len(a.errors))])
	if most > rate+1 {
		f.t.Errorf("%d handlers began in one second, want at most %d", most, rate+1)
	}
	if within < enough {
		f.t.Errorf("%d handlers began in %s, want at least %d", within, measured, enough)
	}
	if f.order.Keyed && a.snoozes > copies {
		f.t.Errorf("%d snoozes, want at most %d", a.snoozes, copies)
	}
	for _, queue := range []string{f.order.Queue, f.order.Queue + "-error"} {
		if n := amqptest.Depth(f.t, queue); n > 0 {
			f.t.Errorf("%d messages are in %s", n, queue)
		}
	}
}

// between counts the handlers that began then.
func (a account) between(from, to time.Duration) int {
	first, _ := slices.BinarySearch(a.starts, from)
	last, _ := slices.BinarySearch(a.starts, to)
	return last - first
}

// most returns how many of the times lie within any window of the width.
func most(times []time.Duration, width time.Duration) (most int) {
	first := 0
	for i, at := range times {
		for at-times[first] >= width {
			first++
		}
		most = max(most, i-first+1)
	}
	return most
}

func id(i int) string { return fmt.Sprintf("m%05d", i) }
