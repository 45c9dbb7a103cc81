//go:build unix

package faults_test

import (
	"context"
	"errors"
	"maps"
	"strings"
	"time"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/topology"
)

// handlerScenarios have handlers that do not return properly, do not return at all, or publish.
var handlerScenarios = []scenario{
	{
		name:   "handlers-misbehave",
		breaks: "handlers panic (some with 200 KiB of text, or deep in a recursion), call runtime.Goexit, run past their timeout, with and without their grace",
		spec:   consumer.Spec{Timeout: time.Second, Grace: 2 * time.Second, Concurrency: 8, MaxRetries: 2},
		run: func(s *stage) {
			s.workers(2)
			s.publish(mix{
				"ack": 200, "slow 50ms": 50, "retry 1": 20, "panic": 10, "deep-panic": 5, "loud-panic": 5, "loud-error": 5, "goexit": 10,
				"overtime 1500ms": 5, "obey": 5, "ignore 4s": 3,
			})
		},
	},
	{
		name:   "handlers-stuck",
		breaks: "a handler never returns; its message is tried again until every slot is taken, and parked; then a deploy",
		spec:   stuckSpec, queues: 2, stuck: stuckSpec.Concurrency, grace: 4 * time.Second,
		run: func(s *stage) {
			s.workers(1)
			s.stream(60, mix{"ack": 1})
			s.publishTo(0, mix{"deadlock": 1})
			s.wedged(func(v vitals) bool { return v.Stuck == stuckSpec.Concurrency })
			s.holds(topology.RoleError, 1)
			s.handling(60) // of the other consumer
			s.deploy()
		},
	},
	{
		name:   "handlers-held",
		breaks: "every handler of a consumer is stuck at once, and their messages are held; then a deploy",
		spec:   heldSpec, queues: 2, stuck: stuckSpec.Concurrency, grace: 4 * time.Second,
		run: func(s *stage) {
			s.workers(1)
			s.stream(60, mix{"ack": 1})
			s.publishTo(0, mix{"stuck-once": stuckSpec.Concurrency})
			s.wedged(func(v vitals) bool { return v.Stuck == stuckSpec.Concurrency })
			s.handling(60) // of the other consumer
			s.handledOnce("stuck-once", stuckSpec.Concurrency)
			s.deploy()
		},
	},
	{
		name:   "forward",
		breaks: "every TCP connection is reset six times, and a worker killed twice, while handlers publish another message before they ack",
		queues: 2, publishes: true,
		run: func(s *stage) {
			s.workers(2)
			s.stream(60, mix{"forward": 8, "ack": 2})
			for i := range 8 {
				s.handling(40)
				if i%4 == 3 {
					s.killWorker()
				} else {
					s.fault(func() { s.allLinks().cut() })
				}
			}
		},
	},
}

var (
	// The timeout is longer than writing a line of the journal takes on a busy disk.
	stuckSpec = consumer.Spec{Timeout: time.Second, Grace: time.Second, Concurrency: 4, Prefetch: 20}
	heldSpec  = consumer.Spec{Timeout: time.Second, Grace: time.Second, Concurrency: 4, Prefetch: 20, WhenStuck: consumer.Hold}
)

func init() {
	maps.Copy(behaviours, map[string]behaviour{
		// These long texts must not fill the headers.
		"loud-panic": {parked: monitoring.ReasonPanic, spent: true, do: func(context.Context, visit) consumer.Result {
			panic(strings.Repeat("loud ", 40<<10))
		}},
		"loud-error": {parked: monitoring.ReasonError, do: func(context.Context, visit) consumer.Result {
			return consumer.Error(errors.New(strings.Repeat("loud ", 40<<10)))
		}},
		// "obey" returns each time when its context ends.
		"obey": {parked: monitoring.ReasonTimeout, spent: true, do: func(ctx context.Context, _ visit) consumer.Result {
			<-ctx.Done()
			return consumer.Retry(ctx.Err())
		}},
		// "ignore 4s" takes that long whatever its context says. By then it must have been given
		// up, so its result does not matter.
		"ignore": {parked: monitoring.ReasonTimeout, spent: true, do: func(_ context.Context, v visit) consumer.Result {
			time.Sleep(v.duration())
			return consumer.Retry(errors.New("too late"))
		}},
		// "stuck-once" never returns, and acks in the next process.
		"stuck-once": {acked: true, do: func(_ context.Context, v visit) consumer.Result {
			if !v.Redelivered {
				deadlock()
			}
			return consumer.Ack()
		}},
	})
}

// wedged waits until the first consumer of each lane is wedged and reports it, while the others
// work.
func (s *stage) wedged(how func(v vitals) bool) {
	s.t.Helper()
	s.healths(20*time.Second, "the first wedged and not ready, the others ready", func(all []vitals) bool {
		if len(all) != len(s.lanes[0].specs) || all[0].Ready || !how(all[0]) {
			return false
		}
		for _, v := range all[1:] {
			if !v.Ready {
				return false
			}
		}
		return true
	})
}

// deploy is restartWorker for a worker that cannot stop by itself: the end of its context must end
// it.
func (s *stage) deploy() {
	s.t.Helper()
	began := time.Now()
	s.restartWorker()
	s.each(func(l *lane) {
		l.mu.Lock()
		first := l.processes[0]
		l.mu.Unlock()
		if first.last == nil || first.last.StopError == "" {
			s.t.Errorf("%s: the worker that had something stuck stopped in order: %+v", l.kind, first.last)
		}
	})
	if took := time.Since(began); took > s.scenario.grace+3*time.Second {
		s.t.Errorf("the deploy took %s, the worker had %s to stop", took, s.scenario.grace)
	}
}

// publishTo publishes a mix to one queue of each lane, and returns when all messages are confirmed.
func (s *stage) publishTo(queue int, m mix) {
	s.t.Helper()
	s.each(func(l *lane) {
		for _, do := range m.shuffled() {
			if n := l.account.postTo(l.specs[queue].Queue, do); n < 0 {
				s.t.Errorf("%s: publish %q to queue %d: not confirmed", l.kind, do, queue)
			}
		}
	})
}
