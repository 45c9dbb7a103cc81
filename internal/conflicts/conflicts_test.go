package conflicts_test

import (
	"strings"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/conflicts"
	"github.com/bunnicula-go/bunnicula/topology"
)

func TestPlansThatStandInEachOthersWayAreFound(t *testing.T) {
	type plan = topology.Plan
	second := []time.Duration{time.Second}
	for _, c := range []struct {
		a, b plan
		want string // "" is no conflict
	}{
		{plan{Queue: "a"}, plan{Queue: "b"}, ""},
		{plan{Queue: "a", Delays: second}, plan{Queue: "b", Delays: second}, ""},
		{plan{Queue: "a"}, plan{Queue: "a"}, `queue "a": it is the main queue of two`},
		{plan{Queue: "a"}, plan{Queue: "a-error"}, `queue "a-error": it is the error queue of one and the main queue of another`},
		{plan{Queue: "a-retry-1s"}, plan{Queue: "a", Delays: second}, `queue "a-retry-1s": it is the main queue of one and the retry queue of another`},
		{plan{Queue: "a", Delays: second}, plan{Queue: "b", ErrorQueue: "a-retry-1s"}, `queue "a-retry-1s": it is the retry queue of one and the error queue of another`},
		{plan{Queue: "a", ErrorQueue: "failed"}, plan{Queue: "b", ErrorQueue: "failed"}, ""},
		{plan{Queue: "a", ErrorQueue: "failed"}, plan{Queue: "b", ErrorQueue: "failed", Type: topology.Classic}, `queue "failed": it is the error queue of two that declare it differently`},
		{plan{Queue: "a", ErrorQueue: "failed", Mode: topology.Never}, plan{Queue: "b", ErrorQueue: "failed", Type: topology.Classic}, ""},
		{plan{Queue: "a", Mode: topology.Never}, plan{Queue: "a-error", Mode: topology.Never}, `queue "a-error"`},
		{
			plan{Queue: "a", Bindings: []topology.Bind{{Exchange: "e", Kind: "topic"}}},
			plan{Queue: "b", Bindings: []topology.Bind{{Exchange: "e", Kind: "topic", Keys: []string{"k"}}}},
			"",
		},
		{
			plan{Queue: "a", Bindings: []topology.Bind{{Exchange: "e", Kind: "topic"}}},
			plan{Queue: "b", Bindings: []topology.Bind{{Exchange: "e", Kind: "direct"}}},
			`exchange "e": one declares it as topic, durable and another as direct, durable`,
		},
		{
			plan{Queue: "a", Scheme: topology.Bunnicula},
			plan{Queue: "b", Bindings: []topology.Bind{{Exchange: "a-retry", Kind: "fanout"}}},
			`exchange "a-retry": one declares it as fanout, transient, auto-delete and another as fanout, durable`,
		},
	} {
		err := conflicts.Find(mustNew(t, c.a), mustNew(t, c.b))
		switch {
		case c.want == "" && err != nil:
			t.Errorf("got %v, want none", err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("got %v, want %s", err, c.want)
		}
	}
}

func TestAllConflictsAreReported(t *testing.T) {
	a := mustNew(t, topology.Plan{Queue: "a"})
	err := conflicts.Find(a, mustNew(t, topology.Plan{Queue: "a-error"}), mustNew(t, topology.Plan{Queue: "b"}), a)
	for _, want := range []string{`"a-error"`, `"a": it is the main queue of two`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s is not in %v", want, err)
		}
	}
}

func TestNothingConflictsWithNothing(t *testing.T) {
	if err := conflicts.Find(); err != nil {
		t.Error(err)
	}
}

func mustNew(t *testing.T, p topology.Plan) topology.Topology {
	t.Helper()
	topo, err := topology.New(p)
	if err != nil {
		t.Fatal(err)
	}
	return topo
}
