package consumer

import (
	"bytes"
	"context"
	"log/slog"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/topology"
)

func everyAck(context.Context, Delivery) Result { return Ack() }

// spec is a minimal Spec with one thing changed.
func spec(change func(*Spec)) Spec {
	s := Spec{Queue: "orders", Handler: everyAck}
	if change != nil {
		change(&s)
	}
	return s
}

func TestDefaultsAreBunniculas(t *testing.T) {
	got, top, err := spec(nil).resolve()
	if err != nil {
		t.Fatal(err)
	}
	if got.MaxRetries != 3 || !slices.Equal(got.Backoff, []time.Duration{60 * time.Second}) || got.Timeout != 60*time.Second || got.Concurrency != 4 {
		t.Errorf("MaxRetries %d, Backoff %v, Timeout %s, Concurrency %d", got.MaxRetries, got.Backoff, got.Timeout, got.Concurrency)
	}
	if got.Name != "orders" || got.Grace != 5*time.Second || got.Prefetch != 10 || got.MaxCrashes != 10 || got.WhenStuck != RetryNow || got.Redeclare != RedeclareOn {
		t.Errorf("%+v", got)
	}
	if want := []string{"orders", "orders-retry-1m", "orders-quarantine", "orders-error"}; !slices.Equal(top.Names(), want) {
		t.Errorf("queues %v, want %v", top.Names(), want)
	}
}

func TestSpecialValuesHaveNames(t *testing.T) {
	got, _, err := spec(func(s *Spec) { s.MaxRetries, s.Timeout = NoRetries, NoTimeout }).resolve()
	if err != nil || got.MaxRetries != 0 || got.Timeout != NoTimeout {
		t.Errorf("MaxRetries %d, Timeout %d, %v", got.MaxRetries, got.Timeout, err)
	}
}

func TestPrefetchFollowsConcurrency(t *testing.T) {
	for concurrency, want := range map[int]int{0: 10, 1: 10, 5: 10, 6: 12, 100: 200, 65535: 65535} {
		got, _, err := spec(func(s *Spec) { s.Concurrency = concurrency }).resolve()
		if err != nil || got.Prefetch != want {
			t.Errorf("Concurrency %d has the Prefetch %d, want %d (%v)", concurrency, got.Prefetch, want, err)
		}
	}
}

func TestEachDelayHasOneQueue(t *testing.T) {
	_, top, err := spec(func(s *Spec) {
		s.Backoff = []time.Duration{time.Second, time.Minute, time.Second}
		s.Delays = []time.Duration{time.Hour, 60 * time.Second}
	}).resolve()
	if want := []string{"orders", "orders-retry-1s", "orders-retry-1m", "orders-retry-1h", "orders-quarantine", "orders-error"}; err != nil || !slices.Equal(top.Names(), want) {
		t.Errorf("%v, %v", top.Names(), err)
	}
}

func TestNewNamesTheFieldAndTheValueThatIsWrong(t *testing.T) {
	long := strings.Repeat("q", 256)
	delays := func(d ...time.Duration) []time.Duration { return d }
	for name, row := range map[string]struct {
		change func(*Spec)
		want   []string
	}{
		"no queue":                      {func(s *Spec) { s.Queue = "" }, []string{"Queue", `""`}},
		"a blank queue":                 {func(s *Spec) { s.Queue = " \t" }, []string{"Queue", `" \t"`}},
		"a queue's name too long":       {func(s *Spec) { s.Queue = long }, []string{"Queue", "256 bytes"}},
		"a retry queue's name too long": {func(s *Spec) { s.Queue, s.ErrorQueue = long[:250], "e" }, []string{"Queue", "-quarantine", "261 bytes"}},
		"an error queue's name too long": {
			func(s *Spec) { s.Queue, s.Backoff = long[:250], delays(time.Hour) },
			[]string{"rror", "256 bytes"},
		},
		"an ErrorQueue too long":        {func(s *Spec) { s.ErrorQueue = long }, []string{"ErrorQueue", "256 bytes"}},
		"an ErrorQueue that is Queue":   {func(s *Spec) { s.ErrorQueue = "orders" }, []string{"ErrorQueue", `"orders"`}},
		"an ErrorQueue that is a retry": {func(s *Spec) { s.ErrorQueue = "orders-retry-1m" }, []string{"ErrorQueue", `"orders-retry-1m"`}},
		"a queue's name of the broker":  {func(s *Spec) { s.Queue = "amq.orders" }, []string{"Queue", `"amq.`}},
		"no handler":                    {func(s *Spec) { s.Handler = nil }, []string{"Handler is nil"}},
		"JSON of nil": {
			func(s *Spec) { s.Handler = JSON[int](nil) },
			[]string{"Handler is nil"},
		},
		"JSON of FromError of nil": {
			func(s *Spec) { s.Handler = JSON(FromError[int](nil)) },
			[]string{"Handler is nil"},
		},
		"Decode without a codec": {
			func(s *Spec) { s.Handler = Decode(nil, func(context.Context, Message[int]) Result { return Ack() }) },
			[]string{"Handler is nil"},
		},
		"a middleware that is nil":  {func(s *Spec) { s.Use = []Middleware{func(h Handler) Handler { return h }, nil} }, []string{"Use[1]", "nil"}},
		"a middleware makes nil":    {func(s *Spec) { s.Use = []Middleware{func(Handler) Handler { return nil }} }, []string{"Use[0]", "nil"}},
		"a middleware that panics":  {func(s *Spec) { s.Use = []Middleware{func(Handler) Handler { panic("boom") }} }, []string{"Use[0]", "panicked: boom"}},
		"negative MaxRetries":       {func(s *Spec) { s.MaxRetries = -2 }, []string{"MaxRetries", "-2", "NoRetries"}},
		"a Backoff of zero":         {func(s *Spec) { s.Backoff = delays(time.Second, 0) }, []string{"Backoff[1]", "0s"}},
		"a negative Backoff":        {func(s *Spec) { s.Backoff = delays(-time.Second) }, []string{"Backoff[0]", "-1s"}},
		"a Backoff below 1ms":       {func(s *Spec) { s.Backoff = delays(999 * time.Microsecond) }, []string{"Backoff[0]", "999µs"}},
		"a Backoff with half a ms":  {func(s *Spec) { s.Backoff = delays(1500 * time.Microsecond) }, []string{"Backoff[0]", "1.5ms"}},
		"a Backoff above the limit": {func(s *Spec) { s.Backoff = delays(topology.MaxDelay + time.Millisecond) }, []string{"Backoff[0]", "87600h0m0.001s"}},
		"a Delay of zero":           {func(s *Spec) { s.Delays = delays(0) }, []string{"Delays[0]", "0s"}},
		"a Delay above the limit":   {func(s *Spec) { s.Delays = delays(math.MaxInt64) }, []string{"Delays[0]", "2562047h"}},
		"a negative Timeout":        {func(s *Spec) { s.Timeout = -2 }, []string{"Timeout", "-2ns", "NoTimeout"}},
		"Timeout too long":          {func(s *Spec) { s.Timeout = math.MaxInt64 }, []string{"Timeout", "2562047h", "NoTimeout"}},
		"Grace too long":            {func(s *Spec) { s.Grace = math.MaxInt64 }, []string{"Grace", "2562047h"}},
		"a negative Grace":          {func(s *Spec) { s.Grace = -1 }, []string{"Grace", "-1ns"}},
		"another WhenStuck":         {func(s *Spec) { s.WhenStuck = 2 }, []string{"WhenStuck", "2"}},
		"a negative WhenStuck":      {func(s *Spec) { s.WhenStuck = -1 }, []string{"WhenStuck", "-1"}},
		"another Redeclare":         {func(s *Spec) { s.Redeclare = 2 }, []string{"Redeclare", "2"}},
		"a negative Concurrency":    {func(s *Spec) { s.Concurrency = -1 }, []string{"Concurrency", "-1"}},
		"Concurrency too high":      {func(s *Spec) { s.Concurrency = 65536 }, []string{"Concurrency", "65536"}},
		"a negative Prefetch":       {func(s *Spec) { s.Prefetch = -1 }, []string{"Prefetch", "-1"}},
		"Prefetch too high":         {func(s *Spec) { s.Prefetch = 65536 }, []string{"Prefetch", "65536"}},
		"Prefetch below Concurrency": {
			func(s *Spec) { s.Prefetch, s.Concurrency = 7, 8 },
			[]string{"Prefetch", "7", "Concurrency", "8"},
		},
		"Prefetch below the default":    {func(s *Spec) { s.Prefetch = 3 }, []string{"Prefetch", "3", "4"}},
		"negative MaxCrashes":           {func(s *Spec) { s.MaxCrashes = -1 }, []string{"MaxCrashes", "-1"}},
		"MaxCrashes of 2":               {func(s *Spec) { s.MaxCrashes = 2 }, []string{"MaxCrashes", "2"}},
		"MaxCrashes beyond the queue's": {func(s *Spec) { s.MaxCrashes = 100 }, []string{"MaxCrashes", "100"}},
		"Priority too low":              {func(s *Spec) { s.Priority = -129 }, []string{"Priority", "-129"}},
		"Priority too high":             {func(s *Spec) { s.Priority = 128 }, []string{"Priority", "128"}},
		"a negative GroupSize":          {func(s *Spec) { s.GroupSize = -1 }, []string{"GroupSize", "-1"}},
		"another QueueType":             {func(s *Spec) { s.QueueType = "stream" }, []string{"QueueType", `"stream"`}},
		"another Declare":               {func(s *Spec) { s.Declare = 3 }, []string{"Declare", "3"}},
		"another Scheme":                {func(s *Spec) { s.Scheme = 2 }, []string{"Scheme", "2"}},
		"an argument that deletes":      {func(s *Spec) { s.Arguments = map[string]any{"x-expires": 1000} }, []string{"Arguments", "x-expires", "1000"}},
		"an argument that drops":        {func(s *Spec) { s.Arguments = map[string]any{"x-overflow": "drop-head"} }, []string{"Arguments", "x-overflow", "drop-head"}},
		"a delivery limit of none":      {func(s *Spec) { s.Arguments = map[string]any{"x-delivery-limit": -1} }, []string{"Arguments", "x-delivery-limit", "-1"}},
		"an argument without a type":    {func(s *Spec) { s.Arguments = map[string]any{"x-mine": struct{}{}} }, []string{"Arguments", "x-mine", "struct {}"}},
		"a binding to no exchange":      {func(s *Spec) { s.Bindings = []topology.Bind{{Keys: []string{"a"}}} }, []string{"Bindings[0]", `""`}},
		"two delays in Bunnicula's scheme": {
			func(s *Spec) { s.Scheme, s.Backoff = topology.Bunnicula, delays(time.Second, time.Minute) },
			[]string{"Delays", "Bunnicula", "1s"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := New(nil, spec(row.change), nil, nil)
			if err == nil {
				t.Fatalf("it was accepted: %+v", c.spec)
			}
			for _, want := range append(row.want, "consumer ") {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the error lacks %q: %v", want, err)
				}
			}
		})
	}
}

func TestTheLargestAndTheSmallestValuesAreAccepted(t *testing.T) {
	for name, change := range map[string]func(*Spec){
		"the longest names":    func(s *Spec) { s.Queue = strings.Repeat("q", 255-len("-quarantine")) },
		"the longest delay":    func(s *Spec) { s.Backoff = []time.Duration{topology.MaxDelay} },
		"the shortest delay":   func(s *Spec) { s.Backoff = []time.Duration{time.Millisecond} },
		"the least MaxCrashes": func(s *Spec) { s.MaxCrashes = 3 },
		"the most MaxCrashes":  func(s *Spec) { s.MaxCrashes = 99 },
		"the least Priority":   func(s *Spec) { s.Priority = -128 },
		"the most Priority":    func(s *Spec) { s.Priority = 127 },
		"one at a time":        func(s *Spec) { s.Concurrency, s.Prefetch = 1, 1 },
		"as many as possible":  func(s *Spec) { s.Concurrency, s.Prefetch = 65535, 65535 },
		"the most MaxRetries":  func(s *Spec) { s.MaxRetries = math.MaxInt },
		"Bunnicula's scheme":   func(s *Spec) { s.Scheme = topology.Bunnicula },
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := New(nil, spec(change), nil, slog.New(slog.DiscardHandler)); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestTheErrorNamesTheConsumerByItsOwnName(t *testing.T) {
	_, err := New(nil, Spec{Queue: "orders", Name: "billing"}, nil, nil)
	if err == nil || err.Error() != `consumer "billing": Handler is nil` {
		t.Error(err)
	}
}

func TestNewDoesNotChangeTheSpecThatItWasGiven(t *testing.T) {
	backoff := []time.Duration{time.Second, time.Minute, time.Hour}[:2]
	c, err := New(nil, spec(func(s *Spec) { s.Backoff, s.Delays = backoff, []time.Duration{5 * time.Second} }), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if backoff[:3][2] != time.Hour {
		t.Error("Backoff was appended to in place")
	}
	if len(c.Topology().Queues) != 6 {
		t.Error(c.Topology().Names())
	}
}

// A prefetched message is acked after all before it, and the broker closes the channel after 30
// minutes.
func TestNewWarnsWhenPrefetchedMessagesMayWaitForTooLong(t *testing.T) {
	for name, row := range map[string]struct {
		change func(*Spec)
		warns  bool
	}{
		"the defaults":               {nil, false},
		"ten minutes, one at a time": {func(s *Spec) { s.Timeout, s.Prefetch, s.Concurrency = 10*time.Minute, 1, 1 }, false},
		"ten minutes, three rounds":  {func(s *Spec) { s.Timeout, s.Prefetch, s.Concurrency = 10*time.Minute, 9, 4 }, true},
		"ten minutes, two rounds":    {func(s *Spec) { s.Timeout, s.Prefetch, s.Concurrency = 10*time.Minute, 8, 4 }, false},
		"half an hour":               {func(s *Spec) { s.Timeout, s.Prefetch, s.Concurrency = 30*time.Minute, 1, 1 }, true},
		"a second, many rounds":      {func(s *Spec) { s.Timeout, s.Prefetch, s.Concurrency = time.Second, 65535, 1 }, true},
		"a long grace":               {func(s *Spec) { s.Grace, s.Prefetch, s.Concurrency = 30*time.Minute, 1, 1 }, true},
		"all that is allowed":        {func(s *Spec) { s.Timeout, s.Grace, s.Prefetch, s.Concurrency = maxTimeout, maxTimeout, 65535, 1 }, true},
		"no timeout says so itself":  {func(s *Spec) { s.Timeout = NoTimeout }, false},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			if _, err := New(nil, spec(row.change), nil, slog.New(slog.NewTextHandler(&out, nil))); err != nil {
				t.Fatal(err)
			}
			if warned := strings.Contains(out.String(), "level=WARN") && strings.Contains(out.String(), "consumer_timeout"); warned != row.warns {
				t.Errorf("warned %t, want %t: %s", warned, row.warns, out.String())
			}
		})
	}
}

func TestMiddlewareWrapsTheFirstOutermost(t *testing.T) {
	var order []string
	layer := func(name string) Middleware {
		return func(next Handler) Handler {
			return func(ctx context.Context, d Delivery) Result {
				order = append(order, name)
				return next(ctx, d)
			}
		}
	}
	process(t, spec(func(s *Spec) {
		s.Use = []Middleware{layer("first"), layer("second")}
		s.Handler = func(context.Context, Delivery) Result { order = append(order, "handler"); return Ack() }
	}), delivery(nil))
	if want := []string{"first", "second", "handler"}; !slices.Equal(order, want) {
		t.Errorf("called %v, want %v", order, want)
	}
}
