//go:build unix

package faults_test

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"runtime"
	"strings"
	"time"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/monitoring"
)

// monitorScenarios have a monitor that fails or blocks.
var monitorScenarios = []scenario{
	{
		name:   "monitor-panics",
		breaks: "the monitor panics, or calls runtime.Goexit, before and after handlers",
		tune:   withMonitor,
		run: func(s *stage) {
			s.workers(2)
			m := mix{"ack": 100, "retry 1": 20, "error": 10, "panic": 5}
			for _, what := range []string{"begin panic", "end panic", "begin goexit", "end goexit"} {
				m["monitor "+what], m["monitor-retry "+what] = 10, 10
			}
			s.publish(m)
			s.finish()
			for _, l := range s.lanes {
				if !l.logged("monitor panicked") {
					s.t.Errorf("%s: the monitor's panic is not logged", l.kind)
				}
			}
		},
	},
	{
		name:   "monitor-blocks",
		breaks: "the monitor does not return for fifteen seconds, before and after handlers, until every slot of a consumer is taken",
		spec:   consumer.Spec{Concurrency: monitorSlots}, queues: 2, tune: withMonitor,
		run: func(s *stage) {
			s.workers(1)
			s.stream(60, mix{"ack": 1})
			s.publishTo(0, mix{"monitor begin 15s": 2, "monitor end 15s": 2})
			s.wedged(func(v vitals) bool { return v.MonitorsBlocked == monitorSlots })
			s.handling(30) // of the other consumer
			s.healths(20*time.Second, "all ready, and no monitor blocked", func(all []vitals) bool {
				return len(all) == 2 && all[0].Ready && all[0].MonitorsBlocked == 0 && all[1].Ready
			})
		},
	},
	{
		name:   "monitor-blocks-for-ever",
		breaks: "the monitor never returns, before and after handlers, until every slot of a consumer is taken; then a deploy",
		spec:   consumer.Spec{Concurrency: monitorSlots}, queues: 2, tune: withMonitor, stuck: monitorSlots, grace: 4 * time.Second,
		run: func(s *stage) {
			s.workers(1)
			s.stream(60, mix{"ack": 1})
			s.publishTo(0, mix{"monitor begin forever": 2, "monitor end forever": 1, "monitor-retry end forever": 1})
			s.wedged(func(v vitals) bool { return v.MonitorsBlocked == monitorSlots })
			s.handling(30) // of the other consumer
			s.deploy()
		},
	},
}

const monitorSlots = 4

func withMonitor(s *slot) { s.config.Monitor = true }

func init() {
	maps.Copy(behaviours, map[string]behaviour{
		// "monitor end panic" makes the monitor panic in its End.
		"monitor": {acked: true, do: func(context.Context, visit) consumer.Result { return consumer.Ack() }},
		// "monitor-retry" is the same with a message that is retried once.
		"monitor-retry": {acked: true, do: func(_ context.Context, v visit) consumer.Result {
			if v.Attempt == 1 {
				return consumer.Retry(errors.New("not yet"))
			}
			return consumer.Ack()
		}},
	})
}

// monitor does what a message asks of it, and nothing for other messages.
type monitor struct{}

func (monitor) Begin(ctx context.Context, d monitoring.Delivery) context.Context {
	misbehave("begin", d)
	return ctx
}

func (monitor) End(_ context.Context, d monitoring.Delivery, _ monitoring.Outcome) {
	misbehave("end", d)
}

func misbehave(method string, d monitoring.Delivery) {
	var o order
	if json.Unmarshal(d.Body, &o) != nil {
		return
	}
	words := strings.Fields(o.Do)
	if len(words) != 3 || !strings.HasPrefix(words[0], "monitor") || words[1] != method {
		return
	}
	switch words[2] {
	case "panic":
		panic("monitor: on purpose")
	case "goexit":
		runtime.Goexit()
	case "forever":
		if d.Attempt == 1 && !d.Redelivered {
			deadlock()
		}
	default:
		long, err := time.ParseDuration(words[2])
		if err != nil {
			panic(err)
		}
		time.Sleep(long)
	}
}
