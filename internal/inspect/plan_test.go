package inspect

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/management"
	"github.com/bunnicula-go/bunnicula/topology"

	"github.com/bunnicula-go/bunnicula/internal/test/golden"
)

func TestConsumersAreFoundAmongQueues(t *testing.T) {
	found := FromQueues([]string{
		// FormatDelay never writes 60s.
		"orders", "orders-error", "orders-retry-10s", "orders-retry-1m", "orders-retry-9s", "orders-retry-60s",
		"alone", "lost-error", "refunds", "refunds-quarantine", "gone-retry-10s",
	})
	var got []string
	for _, c := range found {
		names := []string{}
		for _, q := range c.Queues {
			names = append(names, q.Name)
		}
		got = append(got, c.Name+": "+strings.Join(names, " "))
	}
	want := []string{"orders: orders orders-retry-9s orders-retry-10s orders-retry-1m orders-error", "refunds: refunds refunds-quarantine"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%q\nwant %q", got, want)
	}
}

func TestRetryQueuesThatNothingNamesAreFoundAmongQueues(t *testing.T) {
	var got []string
	for _, c := range Complete(
		[]Consumer{FromName("orders", nil), FromName("mails", []time.Duration{time.Hour}), FromName("refunds", nil)},
		[]string{"orders", "orders-retry-1m", "orders-retry-10s", "orders-retry-60s", "orders-eu-retry-9s", "mails-retry-1m"},
	) {
		for _, q := range c.Queues {
			got = append(got, q.Name)
		}
	}
	want := "orders orders-retry-10s orders-retry-1m orders-quarantine orders-error " +
		"mails mails-retry-1h mails-quarantine mails-error refunds refunds-quarantine refunds-error"
	if strings.Join(got, " ") != want {
		t.Errorf("%q\nwant %s", got, want)
	}
	if found := Complete(nil, []string{"orders", "orders-error"}); len(found) != 1 || found[0].Name != "orders" {
		t.Errorf("%+v, want orders alone", found)
	}
}

func TestWhatAComparisonComesTo(t *testing.T) {
	mine := topology.Queue{Name: "q", Role: topology.RoleError, Arguments: map[string]any{"x-overflow": "reject-publish", "x-queue-type": "quorum"}}
	theirs := topology.Queue{Name: "q", Role: topology.RoleMain, Existing: true}
	differs := Comparison{Verdict: Differs, Mismatch: &topology.MismatchError{Argument: "x-overflow", Existing: "none", Wanted: "reject-publish"}}
	known := &Known{Queues: map[string]management.Queue{"q": {Arguments: management.Values{"x-queue-type": "classic", "x-message-ttl": int64(5)}}}}
	first := Difference{"x-overflow", "none", "reject-publish"}
	for name, test := range map[string]struct {
		q      topology.Queue
		c      Comparison
		known  *Known
		action Action
		diff   []Difference
	}{
		"the same":                {mine, Comparison{Verdict: Same}, nil, Keep, nil},
		"missing":                 {mine, Comparison{Verdict: Missing}, nil, Create, nil},
		"missing and not ours":    {theirs, Comparison{Verdict: Missing}, nil, Lacking, nil},
		"differs, as AMQP tells":  {mine, differs, nil, Refused, []Difference{first}},
		"differs, as the API too": {mine, differs, known, Refused, []Difference{first, {"x-message-ttl", "5", "none"}, {"x-queue-type", "classic", "quorum"}}},
		"nobody may tell":         {mine, Comparison{Verdict: Unknown, Err: errInUse}, nil, Unasked, nil},
	} {
		c := queueChange(test.q, test.c, test.known)
		if c.Action != test.action || !reflect.DeepEqual(c.Differences, test.diff) {
			t.Errorf("%s: %+v, want %s %v", name, c, test.action, test.diff)
		}
		if (c.Action == Refused || c.Action == Lacking) != (c.Remedy != "") || Blocked([]Change{c}) != (c.Remedy != "") {
			t.Errorf("%s: %+v: what blocks has a remedy, and nothing else", name, c)
		}
	}
}

func TestWhatIsKnownOfABinding(t *testing.T) {
	b := topology.Binding{Queue: "q", Exchange: "x", Key: "k"}
	there := []Change{{What: "queue", Name: "q", Action: Keep}, {What: "exchange", Name: "x", Action: Keep}}
	bound := &Known{Bindings: []management.Binding{{Source: "x", Destination: "q", Kind: "queue", Key: "k"}}}
	other := &Known{Bindings: []management.Binding{{Source: "x", Destination: "q", Kind: "queue", Key: "other"}, {Source: "x", Destination: "q", Kind: "exchange", Key: "k"}}}
	for name, test := range map[string]struct {
		before []Change
		known  *Known
		want   Action
	}{
		"of a queue that is not there":     {[]Change{{What: "queue", Name: "q", Action: Create}}, nil, Create},
		"to an exchange that is not there": {[]Change{{What: "exchange", Name: "x", Action: Create}}, nil, Create},
		"without the API":                  {there, nil, Unasked},
		"that is there":                    {there, bound, Keep},
		"of another key":                   {there, other, Create},
	} {
		if c := bindingChange(b, test.before, test.known); c.Action != test.want {
			t.Errorf("%s: %s, want %s", name, c.Action, test.want)
		}
	}
}

func TestABindingIsComparedWithItsArguments(t *testing.T) {
	there := []Change{{What: "queue", Name: "q", Action: Keep}, {What: "exchange", Name: "x", Action: Keep}}
	wanted := plan(t, topology.Plan{Queue: "q", Bindings: []topology.Bind{{Exchange: "x", Kind: "headers", Keys: []string{"k"}, Arguments: map[string]any{
		"x-match": "all", "version": 2, "exact": 2.0, "deep": map[string]any{"list": []any{1, "a"}},
	}}}})
	api := func(text string) *Known {
		b := management.Binding{Source: "x", Destination: "q", Kind: "queue", Key: "k"}
		if err := json.Unmarshal([]byte(text), &b.Arguments); err != nil {
			t.Fatal(err)
		}
		return &Known{Bindings: []management.Binding{{Source: "", Destination: "q", Kind: "queue", Key: "q"}, b}}
	}
	same := `{"x-match": "all", "version": 2, "exact": 2, "deep": {"list": [1, "a"]}}`
	for name, test := range map[string]struct {
		text   string
		want   Action
		beyond int
	}{
		"the same":        {same, Keep, 0},
		"another value":   {strings.Replace(same, `"version": 2`, `"version": 1`, 1), Create, 1},
		"another type":    {strings.Replace(same, `"version": 2`, `"version": "2"`, 1), Create, 1},
		"deeper":          {strings.Replace(same, `"a"`, `"b"`, 1), Create, 1},
		"one argument":    {`{"x-match": "all"}`, Create, 1},
		"none, as a list": {`[]`, Create, 1},
	} {
		known := api(test.text)
		if c := bindingChange(wanted.Bindings[0], there, known); c.Action != test.want {
			t.Errorf("%s: %s, want %s", name, c.Action, test.want)
		}
		extra := beyond(known, []topology.Topology{wanted})
		if len(extra) != test.beyond {
			t.Errorf("%s: beyond the file are %+v", name, extra)
		}
		for _, c := range extra {
			if c.Action != Beyond || c.Name != "q" || c.Exchange != "x" || Blocked(extra) {
				t.Errorf("%s: %+v", name, c)
			}
		}
	}
	theirs := plan(t, topology.Plan{Queue: "q", Mode: topology.Never})
	if extra := beyond(api(same), []topology.Topology{theirs}); len(extra) != 0 {
		t.Errorf("of a queue of which the file says nothing: %+v", extra)
	}
	if extra := beyond(nil, []topology.Topology{wanted}); extra != nil {
		t.Errorf("without the API: %+v", extra)
	}
}

func TestOnlyAQueueThatIsSurelyEmptyIsNotKept(t *testing.T) {
	n := func(i int) *int { return &i }
	quorum := plan(t, topology.Plan{Queue: "q", Delays: []time.Duration{time.Second}}).Queues[1]
	classic := plan(t, topology.Plan{Queue: "q", Type: topology.Classic, Delays: []time.Duration{time.Second}}).Queues[1]
	same := Comparison{Verdict: Same}
	empty := management.Queue{Messages: n(0), Kept: n(0)}
	for name, test := range map[string]struct {
		q      topology.Queue
		c      Comparison
		count  Count
		api    management.Queue
		listed bool
		want   string
	}{
		"empty":                      {quorum, same, Count{}, empty, true, ""},
		"empty and classic":          {classic, same, Count{}, management.Queue{}, false, ""},
		"with a message":             {quorum, same, Count{Ready: 1}, empty, true, "messages in it: 1"},
		"classic with a message":     {classic, same, Count{Ready: 1}, management.Queue{}, false, "messages in it: 1"},
		"with a consumer":            {quorum, same, Count{Consumers: 2}, empty, true, "consumers of it: 2"},
		"with what is dead-lettered": {quorum, same, Count{}, management.Queue{Messages: n(2), Kept: n(2)}, true, "kept for its main queue: 2"},
		"with what is unacked":       {quorum, same, Count{}, management.Queue{Messages: n(3), Kept: n(0)}, true, "kept for its main queue: 3"},
		"quorum without the API":     {quorum, same, Count{}, management.Queue{}, false, "the management API does"},
		"just declared":              {quorum, same, Count{}, management.Queue{}, true, "does not yet know"},
		"another's":                  {quorum, Comparison{Verdict: Differs, Mismatch: &topology.MismatchError{Argument: "x-message-ttl"}}, Count{}, empty, true, "not a retry queue"},
		"that must not be looked at": {quorum, Comparison{Verdict: Unknown}, Count{}, empty, true, "may not compare"},
	} {
		got := keep(test.q, test.c, test.count, test.api, test.listed)
		if test.want == "" && got != "" || !strings.Contains(got, test.want) {
			t.Errorf("%s: kept because %q, want %q", name, got, test.want)
		}
	}
}

func TestADiagramIsDrawn(t *testing.T) {
	golden.Compare(t, "topology.mmd", Mermaid(
		plan(t, topology.Plan{
			Queue: "orders", Delays: []time.Duration{10 * time.Second, time.Minute}, ErrorQueue: "parked",
			Bindings: []topology.Bind{{Exchange: "events", Kind: "topic", Keys: []string{"order.#", `a"b`}}},
		}),
		plan(t, topology.Plan{Queue: "refunds", Type: topology.Classic, ErrorQueue: "parked"}),
		plan(t, topology.Plan{Queue: "old", Scheme: topology.Bunnicula, Delays: []time.Duration{time.Minute}}),
	))
}

// Accounts go to the partitions of bank.rows, and what is wrong to a queue that nobody here
// consumes.
func TestWhatHandlersEmitIsDrawn(t *testing.T) {
	all := []topology.Topology{
		plan(t, topology.Plan{Queue: "bank.accounts", Emits: []string{"bank.rows", "complaints"}}),
		plan(t, topology.Plan{Queue: "bank.again", Emits: []string{"bank.again"}, ErrorQueue: "bank.accounts-error"}),
	}
	for i := range 3 {
		all = append(all, plan(t, topology.Plan{
			Queue: topology.PartitionQueue("bank.rows", i), ErrorQueue: "bank.rows-error", SingleActive: true, Emits: []string{"bank.mails"},
		}))
	}
	all = append(all, plan(t, topology.Plan{Queue: "bank.mails"}))
	golden.Compare(t, "emits.mmd", Mermaid(all...))
}

func TestThePartitionsOfAQueueAreDrawnAsOne(t *testing.T) {
	var all []topology.Topology
	for i := range 16 {
		p := topology.Plan{Queue: topology.PartitionQueue("orders", i), ErrorQueue: "orders-error", SingleActive: true, Delays: []time.Duration{time.Minute}}
		if i == 3 { // somebody has given it another delay
			p.Delays = append(p.Delays, time.Hour)
		}
		all = append(all, plan(t, p))
	}
	bind := []topology.Bind{{Exchange: "events", Keys: []string{"a"}}}
	all = append(all,
		plan(t, topology.Plan{Queue: "alone.p00", SingleActive: true}),
		plan(t, topology.Plan{Queue: "bound.p00", SingleActive: true, Bindings: bind}),
		plan(t, topology.Plan{Queue: "bound.p01", SingleActive: true, Bindings: bind}))
	golden.Compare(t, "partitions.mmd", Mermaid(all...))
}
