package topologyfile_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/topology"
	"github.com/bunnicula-go/bunnicula/topology/topologyfile"
)

var handler = consumer.JSON(func(context.Context, consumer.Message[int]) consumer.Result { return consumer.Ack() })

func Example() {
	orders := consumer.Spec{
		Queue:    "orders",
		Backoff:  []time.Duration{10 * time.Second, time.Minute},
		Bindings: []topology.Bind{{Exchange: "events", Kind: "topic", Keys: []string{"order.*"}}},
		Handler:  handler,
	}
	refunds := consumer.Spec{Queue: "refunds", Timeout: consumer.NoTimeout, Handler: handler}
	if err := topologyfile.Write(os.Stdout, orders, refunds); err != nil {
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
	//     timeout: none
}

func TestWhatIsWrittenIsReadAsTheSame(t *testing.T) {
	specs := []consumer.Spec{
		{Queue: "plain", Handler: handler},
		{
			Queue: "full", QueueType: topology.Quorum, Backoff: []time.Duration{time.Second, 90 * time.Second}, Delays: []time.Duration{time.Hour},
			ErrorQueue: "parked", GroupSize: 3, SingleActive: true, Concurrency: 1, Prefetch: 7, Timeout: 1500 * time.Millisecond, Grace: time.Second,
			Arguments: map[string]any{"x-max-length": 100, "x-note": "5"},
			Bindings: []topology.Bind{
				{Exchange: "events", Kind: "topic", Keys: []string{"a.#", "true"}},
				{Exchange: "files", Kind: "headers", Arguments: map[string]any{"x-match": "all", "pages": 2}},
			},
			Handler: handler,
		},
		{Queue: "adopted", Declare: topology.Satellites, Handler: handler},
		{Queue: "bare", Declare: topology.Never, Timeout: consumer.NoTimeout, Handler: handler},
		{Queue: "clojure", Scheme: topology.Bunnicula, Handler: handler},
		{Queue: "classic", QueueType: topology.Classic, Handler: handler},
	}
	var text strings.Builder
	if err := topologyfile.Write(&text, specs...); err != nil {
		t.Fatal(err)
	}
	f, err := topologyfile.Parse("it", []byte(text.String()))
	if err != nil {
		t.Fatalf("%v\n%s", err, text.String())
	}
	for i, spec := range specs {
		plan, err := spec.Plan()
		if err != nil {
			t.Fatal(err)
		}
		want, err := topology.New(plan)
		if err != nil {
			t.Fatal(err)
		}
		c := f.Consumers[i]
		if !c.Topology.Equal(want) {
			t.Errorf("%s: read as\n%v\nwritten of\n%v", spec.Queue, c.Topology, want)
		}
		got := []any{c.Concurrency, c.Prefetch, c.Grace, c.Timeout < 0, max(c.Timeout, 0)}
		if wrote := []any{spec.Concurrency, spec.Prefetch, spec.Grace, spec.Timeout < 0, max(spec.Timeout, 0)}; !reflect.DeepEqual(got, wrote) {
			t.Errorf("%s: read %v, written %v", spec.Queue, got, wrote)
		}
	}
}

func TestASpecThatCouldNotStartIsNotWritten(t *testing.T) {
	for name, test := range map[string]struct {
		specs []consumer.Spec
		want  string
	}{
		"without a handler":  {[]consumer.Spec{{Queue: "a"}}, `consumer "a": Handler is nil`},
		"two of one queue":   {[]consumer.Spec{{Queue: "a", Handler: handler}, {Queue: "a", Handler: handler}}, `queue "a": it is the main queue of two`},
		"of two connections": {[]consumer.Spec{{Queue: "a", Handler: handler}, {Queue: "b", Connection: "other", Handler: handler}}, "want a file for each"},
	} {
		var text strings.Builder
		if err := topologyfile.Write(&text, test.specs...); err == nil || !strings.Contains(err.Error(), test.want) || text.Len() > 0 {
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
