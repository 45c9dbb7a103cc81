package effective_test

import (
	"slices"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/effective"
	"github.com/bunnicula-go/bunnicula/topology"
)

type values = map[string]any

// standard returns the queues that a consumer declares, as a broker describes them.
func standard(t *testing.T) map[topology.Role]topology.Queue {
	t.Helper()
	topo, err := topology.New(topology.Plan{Queue: "orders", Delays: []time.Duration{10 * time.Second}})
	if err != nil {
		t.Fatal(err)
	}
	queues := map[topology.Role]topology.Queue{}
	for _, q := range topo.Queues {
		queues[q.Role] = q
	}
	return queues
}

func described(q topology.Queue, policy values) effective.Queue {
	return effective.Queue{Name: q.Name, Type: "quorum", Arguments: q.Arguments, Policy: policy, PolicyName: "company"}
}

func TestOfAnArgumentAndAPolicyTheBrokersChoiceCounts(t *testing.T) {
	q := effective.Queue{
		Type:       "quorum",
		Arguments:  values{"x-delivery-limit": int64(100), "x-overflow": "reject-publish", "x-message-ttl": int64(10), "x-dead-letter-exchange": "ours"},
		Policy:     values{"delivery-limit": int64(5), "overflow": "drop-head", "message-ttl": int64(20), "dead-letter-exchange": "theirs", "expires": int64(7)},
		PolicyName: "company",
	}
	for name, want := range map[string]effective.Setting{
		"delivery-limit":       {Value: int64(5), From: `policy "company"`},
		"overflow":             {Value: "drop-head", From: `policy "company"`},
		"message-ttl":          {Value: int64(10), From: "its argument x-message-ttl"},
		"dead-letter-exchange": {Value: "ours", From: "its argument x-dead-letter-exchange"},
		"expires":              {Value: int64(7), From: `policy "company"`},
		"max-length":           {},
	} {
		if got := q.Get(name); got != want {
			t.Errorf("%s: got %+v, want %+v", name, got, want)
		}
	}
	q.Type, q.OperatorPolicyName = "classic", "operators"
	if got := q.Get("overflow"); got.Value != "reject-publish" {
		t.Errorf("overflow of a classic queue: %+v", got)
	}
	if got := q.Get("expires").From; got != `policy "company" or operator policy "operators"` {
		t.Errorf("from %s", got)
	}
}

// Each policy does to each queue what the list says, and nothing else.
func TestEachPolicyIsFoundWhereItHurts(t *testing.T) {
	const main, retry, quarantine, parked = topology.RoleMain, topology.RoleRetry, topology.RoleQuarantine, topology.RoleError
	delayed := map[topology.Role][]string{main: {"delayed-retry"}, quarantine: {"delayed-retry"}, parked: {"delayed-retry"}}
	for name, test := range map[string]struct {
		policy values
		want   map[topology.Role][]string // serious ones with "!"
	}{
		"none":                        {nil, nil},
		"delivery-limit 5":            {values{"delivery-limit": int64(5)}, map[topology.Role][]string{main: {"delivery-limit"}, quarantine: {"delivery-limit"}, parked: {"delivery-limit!"}}},
		"delivery-limit 100":          {values{"delivery-limit": int64(100)}, map[topology.Role][]string{parked: {"delivery-limit!"}}},
		"max-length, drop-head":       {values{"max-length": int64(9), "overflow": "drop-head"}, map[topology.Role][]string{main: {"drops!", "dead-letters-once!"}, retry: {"drops!", "dead-letters-once!"}, quarantine: {"drops!", "dead-letters-once!"}, parked: {"drops!"}}},
		"max-length-bytes, no more":   {values{"max-length-bytes": int64(9)}, map[topology.Role][]string{retry: {"refuses"}, quarantine: {"refuses"}, parked: {"refuses"}}},
		"max-length, reject-publish":  {values{"max-length": int64(9), "overflow": "reject-publish"}, map[topology.Role][]string{retry: {"refuses"}, quarantine: {"refuses"}, parked: {"refuses"}}},
		"overflow without a length":   {values{"overflow": "drop-head"}, map[topology.Role][]string{main: {"dead-letters-once!"}, retry: {"dead-letters-once!"}, quarantine: {"dead-letters-once!"}}},
		"message-ttl 1 s":             {values{"message-ttl": int64(1000)}, map[topology.Role][]string{main: {"ttl"}, retry: {"retry-ttl"}, quarantine: {"ttl"}, parked: {"error-ttl!"}}},
		"message-ttl above the delay": {values{"message-ttl": int64(20000)}, map[topology.Role][]string{main: {"ttl"}, quarantine: {"ttl"}, parked: {"error-ttl!"}}},
		"expires":                     {values{"expires": int64(1000)}, map[topology.Role][]string{main: {"expires!"}, retry: {"expires!"}, quarantine: {"expires!"}, parked: {"expires!"}}},
		"dead-letter-exchange":        {values{"dead-letter-exchange": "dlx"}, nil},
		"at-most-once":                {values{"dead-letter-strategy": "at-most-once"}, nil},
		"delayed retry of all":        {values{"delayed-retry-type": "all", "delayed-retry-min": int64(1000)}, delayed},
		"delayed retry of returned":   {values{"delayed-retry-type": "returned"}, delayed},
		"delayed retry of failures":   {values{"delayed-retry-type": "failed", "delayed-retry-min": int64(1000)}, delayed},
		"delayed retry of nothing":    {values{"delayed-retry-type": "disabled", "delayed-retry-min": int64(1000)}, nil},
	} {
		for role, want := range standard(t) {
			var got []string
			for _, p := range described(want, test.policy).Problems(want) {
				check := p.Check
				if p.Serious {
					check += "!"
				}
				if p.Problem == "" || p.Why == "" || p.Do == "" || p.See == "" {
					t.Errorf("%s: %+v", name, p)
				}
				got = append(got, check)
			}
			if !slices.Equal(got, test.want[role]) {
				t.Errorf("%s: %s queue: got %v, want %v", name, role, got, test.want[role])
			}
		}
	}
}

func TestDeadLetteringIsSafeOnlyWithAllThatItTakes(t *testing.T) {
	main := standard(t)[topology.RoleMain]
	if !described(main, nil).DeadLettersSafely() {
		t.Error("a main queue as it is declared")
	}
	if !described(main, values{"dead-letter-strategy": "at-most-once"}).DeadLettersSafely() {
		t.Error("a policy's strategy does not win over an argument")
	}
	if described(main, values{"overflow": "drop-head"}).DeadLettersSafely() {
		t.Error("a policy's overflow")
	}
	if (effective.Queue{Type: "classic", Arguments: main.Arguments}).DeadLettersSafely() {
		t.Error("a classic queue")
	}
	if (effective.Queue{Type: "quorum", Policy: values{"dead-letter-exchange": "", "dead-letter-strategy": "at-least-once", "overflow": "reject-publish"}}).DeadLettersSafely() != true {
		t.Error("by policy alone, the default exchange")
	}
}

func TestAStreamIsNoQueueForAConsumer(t *testing.T) {
	q := effective.Queue{Name: "orders", Type: "stream"}
	all := q.Problems(topology.Queue{Name: "orders", Role: topology.RoleMain, Existing: true})
	if len(all) != 1 || all[0].Check != "stream" || !all[0].Serious {
		t.Errorf("%+v", all)
	}
}
