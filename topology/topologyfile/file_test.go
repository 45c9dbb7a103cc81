package topologyfile_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/topology"
	"github.com/bunnicula-go/bunnicula/topology/topologyfile"
)

func Example() {
	err := topologyfile.Write(os.Stdout,
		topology.Plan{
			Queue:    "orders",
			Delays:   []time.Duration{10 * time.Second, time.Minute},
			Bindings: []topology.Bind{{Exchange: "events", Kind: "topic", Keys: []string{"order.*"}}},
		},
		topology.Plan{Queue: "refunds", Delays: []time.Duration{time.Minute}},
	)
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// consumers:
	//   - queue: orders
	//     delays: [10s, 1m]
	//     bindings:
	//       - exchange: events
	//         kind: topic
	//         keys: [order.*]
	//   - queue: refunds
	//     delays: [1m]
}

func TestWhatIsWrittenIsReadAsTheSame(t *testing.T) {
	plans := []topology.Plan{
		{Queue: "plain"},
		{
			Queue: "full", Type: topology.Quorum, Delays: []time.Duration{time.Second, 90 * time.Second, time.Hour},
			ErrorQueue: "parked", GroupSize: 3, SingleActive: true,
			Arguments: map[string]any{"x-max-length": 100, "x-note": "5"},
			Bindings: []topology.Bind{
				{Exchange: "events", Kind: "topic", Keys: []string{"a.#", "true"}},
				{Exchange: "files", Kind: "headers", Arguments: map[string]any{"x-match": "all", "pages": 2}},
			},
		},
		{Queue: "adopted", Mode: topology.Satellites, Emits: []string{"plain", "elsewhere"}},
		{Queue: "bare", Mode: topology.Never},
		{Queue: "clojure", Scheme: topology.Bunnicula, Delays: []time.Duration{time.Minute}},
		{Queue: "classic", Type: topology.Classic},
	}
	var text strings.Builder
	if err := topologyfile.Write(&text, plans...); err != nil {
		t.Fatal(err)
	}
	f, err := topologyfile.Parse("it", []byte(text.String()))
	if err != nil {
		t.Fatalf("%v\n%s", err, text.String())
	}
	for i, plan := range plans {
		want, err := topology.New(plan)
		if err != nil {
			t.Fatal(err)
		}
		if got := f.Consumers[i].Topology; !got.Equal(want) || !slices.Equal(got.Emits, plan.Emits) {
			t.Errorf("%s: read as\n%v\nwritten of\n%v", plan.Queue, got, want)
		}
	}
}

// The fields of a Spec that are not in its plan are written by hand, and read.
func TestTheFieldsOfASpecAreRead(t *testing.T) {
	const text = `consumers:
  - queue: a
    concurrency: 1
    prefetch: 7
    timeout: 1500ms
    grace: 1s
  - queue: b
    timeout: none
`
	f, err := topologyfile.Parse("it", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	type fields struct {
		Concurrency, Prefetch int
		Timeout, Grace        time.Duration
	}
	for i, want := range []fields{{1, 7, 1500 * time.Millisecond, time.Second}, {Timeout: -1}} {
		c := f.Consumers[i]
		if got := (fields{c.Concurrency, c.Prefetch, c.Timeout, c.Grace}); got != want {
			t.Errorf("%s: read %+v, want %+v", c.Plan.Queue, got, want)
		}
	}
}

// The plans of a consumer.Group are the declarations of its consumers.
func TestAGroupsPlansAreWritten(t *testing.T) {
	handler := func(context.Context, consumer.Delivery) consumer.Result { return consumer.Ack() }
	var all []*consumer.Consumer
	var want []topology.Topology
	for _, spec := range []consumer.Spec{
		{Queue: "orders", Backoff: []time.Duration{10 * time.Second}, Delays: []time.Duration{time.Hour}, Handler: handler},
		{Queue: "refunds", ErrorQueue: "parked", Timeout: consumer.NoTimeout, Handler: handler},
	} {
		c, err := consumer.New(nil, spec, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		all, want = append(all, c), append(want, c.Topology())
	}
	group, err := consumer.NewGroup(all...)
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	if err := topologyfile.Write(&text, group.Plans()...); err != nil {
		t.Fatal(err)
	}
	f, err := topologyfile.Parse("it", []byte(text.String()))
	if err != nil {
		t.Fatal(err)
	}
	of, err := topologyfile.Of(group.Plans()...)
	if err != nil {
		t.Fatal(err)
	}
	for i, got := range f.Topologies() {
		if !got.Equal(want[i]) || !of.Consumers[i].Topology.Equal(want[i]) || of.Consumers[i].Plan.Queue != want[i].Queues[0].Name {
			t.Errorf("read as\n%v\nwithout a file\n%v\nthe consumer's is\n%v", got, of.Consumers[i], want[i])
		}
	}
}

func plansOf(t *testing.T, specs ...consumer.Spec) (plans []topology.Plan) {
	t.Helper()
	for _, s := range specs {
		p, err := s.Plan()
		if err != nil {
			t.Fatal(err)
		}
		plans = append(plans, p)
	}
	return plans
}

func TestThePartitionsOfAQueueAreReadAsTheyAreWritten(t *testing.T) {
	handler := func(context.Context, consumer.Delivery) consumer.Result { return consumer.Ack() }
	orders := consumer.Spec{Queue: "orders", Backoff: []time.Duration{time.Minute}, Handler: handler}
	plans := plansOf(t, consumer.Partitioned(16, orders)...)
	var text strings.Builder
	if err := topologyfile.Write(&text, plans...); err != nil {
		t.Fatal(err)
	}
	f, err := topologyfile.Parse("it", []byte(text.String()))
	if err != nil {
		t.Fatal(err)
	}
	for i, got := range f.Topologies() {
		if want, err := topology.New(plans[i]); err != nil || !got.Equal(want) {
			t.Errorf("%s: read as\n%v\nwant\n%v, %v", plans[i].Queue, got, want, err)
		}
	}
	if len(f.Consumers) != 16 || !f.Consumers[15].Plan.SingleActive || f.Consumers[15].Plan.ErrorQueue != "orders-error" {
		t.Errorf("%d consumers, the last one %+v", len(f.Consumers), f.Consumers[len(f.Consumers)-1].Plan)
	}

	for want, other := range map[string]consumer.Spec{
		`queue "orders.p03": it is the main queue of two`:                                         {Queue: "orders.p03", Handler: handler},
		`queue "orders.p07": it is the main queue of one and the error queue of another`:          {Queue: "others", ErrorQueue: "orders.p07", Handler: handler},
		`queue "orders.p07-retry-1m": it is the retry queue of one and the main queue of another`: {Queue: "orders.p07-retry-1m", Handler: handler},
		`queue "orders-error": it is the error queue of one and the main queue of another`:        {Queue: "orders-error", Handler: handler},
		`queue "orders-error": it is the error queue of two that declare it differently`:          {Queue: "others", ErrorQueue: "orders-error", QueueType: topology.Classic, Handler: handler},
	} {
		err := topologyfile.Write(io.Discard, append(plansOf(t, other), plans...)...)
		again := topologyfile.Write(io.Discard, append(plans[:16:16], plansOf(t, other)...)...)
		if err == nil || again == nil || !strings.Contains(err.Error()+again.Error(), want) {
			t.Errorf("got %v and %v, want %q", err, again, want)
		}
	}
	if err := topologyfile.Write(io.Discard, append(plans[:16:16], plansOf(t, consumer.Spec{Queue: "orders", Handler: handler})...)...); err != nil {
		t.Errorf("a queue of the partitions' name stands in their way: %v", err)
	}
}

func TestPlansThatCouldNotBeDeclaredAreNotWritten(t *testing.T) {
	for name, test := range map[string]struct {
		plans []topology.Plan
		want  string
	}{
		"of no queue":      {[]topology.Plan{{Queue: "a"}, {}}, `queue "": Queue: the name is empty`},
		"two of one queue": {[]topology.Plan{{Queue: "a"}, {Queue: "a"}}, `queue "a": it is the main queue of two`},
	} {
		var text strings.Builder
		if err := topologyfile.Write(&text, test.plans...); err == nil || !strings.Contains(err.Error(), test.want) || text.Len() > 0 {
			t.Errorf("%s: %v, and wrote %q; want an error with %q and nothing", name, err, text.String(), test.want)
		}
	}
}

func TestAnErrorSaysTheLineAndWhatIsWrong(t *testing.T) {
	for name, test := range map[string]struct{ text, want string }{
		"an unknown field":        {"consumers:\n  - queue: a\n    delay: [1s]\n", `f.yml: line 3: there is no field "delay"`},
		"an unknown field on top": {"consumer:\n  - queue: a\n", `f.yml: line 1: there is no field "consumer"`},
		"a field of a binding":    {"consumers:\n  - queue: a\n    bindings:\n      - exchange: e\n        key: k\n", `f.yml: line 5: there is no field "key"`},
		"a duration":              {"consumers:\n  - queue: a\n    delays: [1s, 5]\n", `f.yml: line 3: "5" is not a duration`},
		"a negative duration":     {"consumers:\n  - queue: a\n    delays: [-1s]\n", `f.yml: line 3: "-1s" is not a duration`},
		"a mode":                  {"consumers:\n  - queue: a\n    mode: some\n", `f.yml: line 3: "some" is none of all, satellites, never`},
		"a scheme":                {"consumers:\n  - queue: a\n    scheme: old\n", `f.yml: line 3: "old" is none of standard, bunnicula`},
		"a number":                {"consumers:\n  - queue: a\n    prefetch: many\n", "f.yml: line 3: `many` is of the wrong type (str)"},
		"a field that is twice":   {"consumers:\n  - queue: a\n    queue: b\n", "f.yml: line 3"},
		"what the plan refuses":   {"consumers:\n  - queue: a\n  - queue: b\n    type: stream\n", `f.yml: line 3: topology: queue "b": Type: "stream"`},
		"no queue":                {"consumers:\n  - delays: [1s]\n", "f.yml: line 2: topology: queue \"\": Queue: the name is empty"},
		"a prefetch":              {"consumers:\n  - queue: a\n    prefetch: 70000\n", `f.yml: line 2: queue "a": prefetch is 70000`},
		"queues that collide":     {"consumers:\n  - queue: a\n  - queue: a-error\n", `f.yml: topology: queue "a-error"`},
		"nothing":                 {"", "f.yml: consumers is empty"},
		"two documents":           {"consumers:\n  - queue: a\n---\nconsumers: []\n", "f.yml: there is more than one document"},
		"no YAML":                 {"consumers: [", "f.yml: line 1"},
	} {
		_, err := topologyfile.Parse("f.yml", []byte(test.text))
		if err == nil || !strings.HasPrefix(err.Error(), test.want) {
			t.Errorf("%s: %v\nwant %s...", name, err, test.want)
		}
	}
}

func TestAFileThatIsNotThereIsNamed(t *testing.T) {
	name := filepath.Join(t.TempDir(), "none.yml")
	if _, err := topologyfile.ReadFile(name); err == nil || !strings.Contains(err.Error(), name) {
		t.Errorf("%v, want an error with %s", err, name)
	}
}

func TestEachConsumerKnowsItsLine(t *testing.T) {
	f, err := topologyfile.Parse("f", []byte("# two\nconsumers:\n  - queue: a\n    delays: [1s]\n\n  - queue: b\n"))
	if err != nil {
		t.Fatal(err)
	}
	if got := []int{f.Consumers[0].Line, f.Consumers[1].Line}; !reflect.DeepEqual(got, []int{3, 6}) {
		t.Errorf("lines %v, want 3 and 6", got)
	}
}
