package topology_test

import (
	"path/filepath"
	"slices"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/test/golden"
	"github.com/bunnicula-go/bunnicula/topology"
)

func mustNew(t testing.TB, p topology.Plan) topology.Topology {
	t.Helper()
	topo, err := topology.New(p)
	if err != nil {
		t.Fatal(err)
	}
	return topo
}

var events = topology.Bind{Exchange: "events", Kind: "topic", Keys: []string{"order.*", "refund.#"}}

// goldenPlans are plans whose topologies are files in testdata.
var goldenPlans = map[string]topology.Plan{
	"standard":   {Queue: "orders", Delays: []time.Duration{10 * time.Second, time.Minute}},
	"no-retries": {Queue: "orders"},
	"every-delay": {Queue: "orders", Delays: []time.Duration{
		500 * time.Millisecond, 1500 * time.Millisecond, 90 * time.Second, time.Hour, topology.MaxDelay,
	}},
	"full": {
		Queue:        "orders",
		Delays:       []time.Duration{10 * time.Second},
		ErrorQueue:   "failed-orders",
		GroupSize:    5,
		SingleActive: true,
		Arguments:    map[string]any{"x-delivery-limit": 20, "x-max-length": 1_000_000, "x-message-ttl": uint32(5000)},
		Bindings: []topology.Bind{
			events,
			{Exchange: "legacy"},
			{Exchange: "files", Kind: "headers", Arguments: map[string]any{"x-match": "all", "type": "order", "pages": 2}},
		},
	},
	"classic": {Queue: "orders", Type: topology.Classic, Delays: []time.Duration{10 * time.Second}},
	"satellites": {
		Queue: "orders", Delays: []time.Duration{10 * time.Second}, Mode: topology.Satellites,
		Bindings: []topology.Bind{events}, Arguments: map[string]any{"x-max-length": 10},
	},
	"never": {
		Queue: "orders", Delays: []time.Duration{10 * time.Second}, Mode: topology.Never,
		Bindings: []topology.Bind{events},
	},
	"bunnicula": {
		Queue: "orders", Delays: []time.Duration{time.Minute}, Scheme: topology.Bunnicula,
		Bindings: []topology.Bind{{Exchange: "shop"}},
	},
	"bunnicula-default-exchange": {
		Queue: "orders", Scheme: topology.Bunnicula, Type: topology.Classic,
		Bindings: []topology.Bind{{Exchange: ""}},
	},
	"bunnicula-satellites": {
		Queue: "orders", Delays: []time.Duration{time.Minute}, Scheme: topology.Bunnicula, Mode: topology.Satellites,
	},
}

func TestATopologyIsWhatItsGoldenFileSays(t *testing.T) {
	for name, plan := range goldenPlans {
		t.Run(name, func(t *testing.T) {
			golden.Compare(t, name+".txt", mustNew(t, plan).String()+"\n")
		})
	}
}

func TestEveryGoldenFileHasAPlan(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != len(goldenPlans) {
		t.Errorf("%d plans and these files: %v", len(goldenPlans), files)
	}
}

func TestATopologyIsEqualToItselfAndToNoOther(t *testing.T) {
	for name, plan := range goldenPlans {
		for other, otherPlan := range goldenPlans {
			got := mustNew(t, plan).Equal(mustNew(t, otherPlan))
			if got != (name == other) {
				t.Errorf("%s.Equal(%s) = %v", name, other, got)
			}
		}
	}
}

func TestNumbersThatDifferOnlyInTypeAreEqual(t *testing.T) {
	with := func(n any) topology.Topology {
		return mustNew(t, topology.Plan{Queue: "q", Arguments: map[string]any{"x-number": n}})
	}
	if !with(5).Equal(with(uint8(5))) {
		t.Error("int 5 and uint8 5 differ")
	}
	if with(5).Equal(with("5")) {
		t.Error(`5 and "5" are equal`)
	}
}

func TestDelaysAreMergedInOrder(t *testing.T) {
	topo := mustNew(t, topology.Plan{Queue: "q", Delays: []time.Duration{time.Minute, time.Second, 60 * time.Second, time.Second}})
	want := []string{"q", "q-retry-1m", "q-retry-1s", "q-quarantine", "q-error"}
	if got := topo.Names(); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestATopologyKeepsNothingOfItsPlan(t *testing.T) {
	inner := map[string]any{"a": 1}
	list := []any{[]byte("b")}
	plan := topology.Plan{
		Queue:     "q",
		Delays:    []time.Duration{time.Second},
		Arguments: map[string]any{"x-inner": inner, "x-list": list},
		Bindings:  []topology.Bind{{Exchange: "e", Kind: "topic", Keys: []string{"k"}, Arguments: map[string]any{"n": 1}}},
	}
	topo, before := mustNew(t, plan), mustNew(t, plan)
	inner["a"], list[0].([]byte)[0], plan.Delays[0] = 2, 'c', time.Hour
	plan.Arguments["x-more"], plan.Bindings[0].Keys[0], plan.Bindings[0].Arguments["n"] = true, "other", 2
	if !topo.Equal(before) {
		t.Errorf("changed with its plan: %v", topo)
	}
}

func TestArgumentsAreSentAsTheBrokerUnderstandsThem(t *testing.T) {
	arguments := mustNew(t, topology.Plan{Queue: "q", Arguments: map[string]any{
		// An int, which the client library would cut to 32 bits.
		"x-max-length":       5_000_000_000,
		"x-small":            uint64(7),
		"x-table":            map[string]any{"n": 1},
		"x-float":            1.5,
		"x-max-length-bytes": int32(9),
	}}).Queues[0].Arguments
	for name, want := range map[string]any{
		"x-max-length": int64(5_000_000_000), "x-small": int64(7), "x-float": 1.5, "x-max-length-bytes": int64(9),
		"x-message-ttl": nil, "x-queue-type": "quorum",
	} {
		if arguments[name] != want {
			t.Errorf("%s is %T %v, want %T %v", name, arguments[name], arguments[name], want, want)
		}
	}
	if table, ok := arguments["x-table"].(amqp.Table); !ok || table["n"] != int64(1) {
		t.Errorf("x-table is %#v", arguments["x-table"])
	}
	for name, plan := range goldenPlans {
		for _, q := range mustNew(t, plan).Queues {
			if err := amqp.Table(q.Arguments).Validate(); err != nil {
				t.Errorf("%s: queue %q: %v", name, q.Name, err)
			}
		}
	}
}

func TestModesAndSchemesHaveNames(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{topology.All.String(), "All"},
		{topology.Satellites.String(), "Satellites"},
		{topology.Never.String(), "Never"},
		{topology.Mode(7).String(), "topology.Mode(7)"},
		{topology.Standard.String(), "Standard"},
		{topology.Bunnicula.String(), "Bunnicula"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}
