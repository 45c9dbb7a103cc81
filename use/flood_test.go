package use_test

import (
	"context"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/topology"
	"github.com/bunnicula-go/bunnicula/use"
)

// seconds are topology.Ladder without its rung of 250 ms.
var seconds = topology.Ladder[1:]

// A busy key has the work of half a minute in the queue, and small keys come behind it. Its
// messages are handled at their rate if there are slots enough for those that wait: one for each
// event in the shortest rung, and a third more. Small keys do not wait for them in any case.
func TestABusyKeyDoesNotHoldUpOthers(t *testing.T) {
	for _, c := range []struct {
		name          string
		slots, events int
		rungs         []time.Duration
		rate, snoozes float64
	}{
		{"5 a second, 20 slots, no rung of 250 ms", 20, 5, seconds, 0.97, 1},
		{"50 a second, 100 slots, no rung of 250 ms", 100, 50, seconds, 0.97, 1},
		{"50 a second, 20 slots", 20, 50, topology.Ladder, 0.97, 1.1},
		{"5 a second, 4 slots", 4, 5, topology.Ladder, 0.97, 1.15},
		{"50 a second, too few slots", 50, 50, seconds, 0.8, 2.2},
		{"50 a second, far too few slots", 20, 50, seconds, 0.4, 4.5},
	} {
		t.Run(c.name, func(t *testing.T) {
			simulate(t, c.slots, c.rungs, func(t *testing.T, w *world) {
				const span = 30
				l := mustLimiter(t, use.Limit{Events: c.events})
				s, began := w.flood(span*c.events, use.RatePerKey(l, account), func(string) { time.Sleep(5 * time.Millisecond) })
				if s.worst > 1500*time.Millisecond {
					t.Errorf("a small key waited %s", s.worst)
				}
				if rate := span / s.took.Seconds(); rate < c.rate {
					t.Errorf("the busy key had %.2f of its rate, want %.2f", rate, c.rate)
				}
				if s.snoozes > c.snoozes {
					t.Errorf("its messages snoozed %.2f times each, want %.2f", s.snoozes, c.snoozes)
				}
				if n := began.busiest("big", time.Second); n > c.events {
					t.Errorf("%d of them began within a second", n)
				}
				t.Logf("%+v", s)
			})
		})
	}
}

func TestABusyKeyOfAtMostDoesNotHoldUpOthers(t *testing.T) {
	for _, c := range []struct {
		name          string
		n, messages   int
		takes         time.Duration
		rate, snoozes float64
	}{
		{"two at once, of 200 ms", 2, 300, 200 * time.Millisecond, 0.9, 3},
		{"one at once, of a second", 1, 60, time.Second, 0.85, 4.5},
		{"two at once, of 5 s", 2, 40, 5 * time.Second, 0.8, 6.5},
		{"four at once, of 30 s", 4, 60, 30 * time.Second, 0.8, 9},
	} {
		t.Run(c.name, func(t *testing.T) {
			simulate(t, 20, topology.Ladder, func(t *testing.T, w *world) {
				var running, most atomic.Int64
				s, _ := w.flood(c.messages, use.AtMost(c.n, account), func(key string) {
					if key != "big" {
						return
					}
					if n := running.Add(1); n > most.Load() {
						most.Store(n)
					}
					defer running.Add(-1)
					time.Sleep(c.takes/2 + rand.N(c.takes))
				})
				if n := most.Load(); n != int64(c.n) {
					t.Errorf("%d ran at once, want %d", n, c.n)
				}
				if s.worst > time.Second {
					t.Errorf("a small key waited %s", s.worst)
				}
				if rate := (c.takes * time.Duration(c.messages) / time.Duration(c.n)).Seconds() / s.took.Seconds(); rate < c.rate {
					t.Errorf("the busy key had %.2f of its rate, want %.2f", rate, c.rate)
				}
				if s.snoozes > c.snoozes {
					t.Errorf("its messages snoozed %.2f times each, want %.2f", s.snoozes, c.snoozes)
				}
				t.Logf("%+v", s)
			})
		})
	}
}

// A handler that runs for ten minutes, where others need a moment, says little of how long the next
// ones take: when it ends, its key is not idle for long.
func TestAHandlerThatTakesFarLongerThanOthersDoesNotLeaveItsKeyIdle(t *testing.T) {
	const takes, stuck = 100 * time.Millisecond, 10 * time.Minute
	for messages, within := range map[int]time.Duration{20: 75 * time.Second, 200: 3 * time.Minute} {
		simulate(t, 20, topology.Ladder, func(t *testing.T, w *world) {
			start := time.Now()
			w.letters("big", messages)
			var began diary
			var n atomic.Int64
			w.consume(consumer.Spec{
				Timeout: consumer.NoTimeout, Use: []consumer.Middleware{use.AtMost(1, account)},
				Handler: func(_ context.Context, d consumer.Delivery) consumer.Result {
					began.note(d.AppID)
					if n.Add(1) == 12 {
						time.Sleep(stuck)
					}
					time.Sleep(takes)
					return consumer.Ack()
				},
			})
			w.waiting.Wait()
			if after := began.last("big").Sub(start) - stuck; after > within {
				t.Errorf("%d messages were handled %s after the long one, want %s", messages, after, within)
			}
			if snoozes := float64(w.snoozes) / float64(messages); snoozes > 12 {
				t.Errorf("%d messages snoozed %.1f times each meanwhile", messages, snoozes)
			}
		})
	}
}
