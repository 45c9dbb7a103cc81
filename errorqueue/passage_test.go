package errorqueue

import (
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/topology"
)

func topo(t testing.TB, p topology.Plan) topology.Topology {
	t.Helper()
	made, err := topology.New(p)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func TestEachQueueLeadsToItsCounterpartAndTheMainQueueIsTheLast(t *testing.T) {
	old := topology.Plan{Queue: "old", Delays: []time.Duration{10 * time.Second, time.Minute}}
	clojure := topology.Plan{Queue: "old", Scheme: topology.Bunnicula, Delays: []time.Duration{time.Minute}}
	parked := old
	parked.ErrorQueue = "failures"
	shared := topology.Plan{Queue: "new", ErrorQueue: "failures", Delays: []time.Duration{time.Second}}
	for name, c := range map[string]struct {
		from, to topology.Plan
		want     []passage // of each, from.Name, to, and whether there is a problem
	}{
		"other delays": {old, topology.Plan{Queue: "new", Delays: []time.Duration{30 * time.Second}}, []passage{
			{topology.Queue{Name: "old-error"}, "new-error", "", false},
			{topology.Queue{Name: "old-quarantine"}, "new-quarantine", "", false},
			{topology.Queue{Name: "old-retry-10s"}, "new-retry-30s", "", false},
			{topology.Queue{Name: "old-retry-1m"}, "new-retry-30s", "", false},
			{topology.Queue{Name: "old"}, "new", "", false},
		}},
		"nowhere to wait, and no quarantine": {old, topology.Plan{Queue: "new", Type: topology.Classic}, []passage{
			{topology.Queue{Name: "old-error"}, "new-error", "", false},
			{topology.Queue{Name: "old-quarantine"}, "", "stays", false},
			{topology.Queue{Name: "old-retry-10s"}, "", "stays", false},
			{topology.Queue{Name: "old-retry-1m"}, "", "stays", false},
			{topology.Queue{Name: "old"}, "new", "", false},
		}},
		"Clojure's scheme": {clojure, topology.Plan{Queue: "new", Delays: []time.Duration{time.Minute}}, []passage{
			{topology.Queue{Name: "old-error"}, "new-error", "", false},
			{topology.Queue{Name: "old-retry"}, "new-retry-1m", "", false},
			{topology.Queue{Name: "old"}, "new", "", false},
		}},
		"one error queue": {parked, shared, []passage{
			{topology.Queue{Name: "failures"}, "failures", "", true},
			{topology.Queue{Name: "old-quarantine"}, "new-quarantine", "", false},
			{topology.Queue{Name: "old-retry-10s"}, "new-retry-1s", "", false},
			{topology.Queue{Name: "old-retry-1m"}, "new-retry-1s", "", false},
			{topology.Queue{Name: "old"}, "new", "", false},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			got := passages(topo(t, c.from), topo(t, c.to))
			if len(got) != len(c.want) {
				t.Fatalf("%d passages, want %d", len(got), len(c.want))
			}
			for i, p := range got {
				w := c.want[i]
				if p.from.Name != w.from.Name || p.to != w.to || (p.problem != "") != (w.problem != "") || p.shared != w.shared {
					t.Errorf("%d: %+v, want %+v", i, p, w)
				}
			}
		})
	}
}

func TestAMovedRetryIsNeverEarlyAndLateByAShortDelayAtMost(t *testing.T) {
	now := time.Date(2026, 11, 1, 10, 0, 0, 0, time.UTC)
	to := topo(t, topology.Plan{Queue: "new", Delays: []time.Duration{10 * time.Second, time.Minute}})
	for name, c := range map[string]struct {
		delay     time.Duration
		notBefore time.Duration // from now; 0 is none
		queue     string
		want      time.Duration // the header, from now; 0 is none
	}{
		"its delay is one of the new ones":    {time.Minute, 0, "new-retry-1m", 0},
		"its delay is shorter than all":       {time.Second, 0, "new-retry-10s", 0},
		"its delay is between two":            {30 * time.Second, 0, "new-retry-10s", 30 * time.Second},
		"its delay is longer than all":        {time.Hour, 0, "new-retry-1m", time.Hour},
		"it says when it is due":              {time.Minute, 25 * time.Second, "new-retry-10s", 25 * time.Second},
		"it is due in a moment":               {time.Minute, time.Second, "new-retry-10s", 0},
		"it is due":                           {time.Minute, -time.Second, "new", 0},
		"nothing is known of how it waits":    {0, 0, "new", 0},
		"it says a time exactly one delay on": {time.Second, time.Minute, "new-retry-1m", 0},
	} {
		t.Run(name, func(t *testing.T) {
			var notBefore time.Time
			if c.notBefore != 0 {
				notBefore = now.Add(c.notBefore)
			}
			got := dueOf(to, c.delay, notBefore, now)
			want := due{queue: c.queue}
			if c.want != 0 {
				want.notBefore = now.Add(c.want)
			}
			if got != want {
				t.Errorf("got %+v, want %+v", got, want)
			}
		})
	}
}
