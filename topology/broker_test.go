package topology_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/route"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/topology"
)

func TestDeclaringTwiceChangesNothing(t *testing.T) {
	for name, plan := range map[string]topology.Plan{
		"standard": {Delays: []time.Duration{time.Millisecond, 90 * time.Second, topology.MaxDelay}},
		"classic":  {Type: topology.Classic, Delays: []time.Duration{time.Second, topology.MaxDelay}},
		"full": {
			Delays: []time.Duration{time.Second}, GroupSize: 3, SingleActive: true,
			Arguments: map[string]any{"x-delivery-limit": 20, "x-max-length": 1000, "x-message-ttl": uint16(5000)},
			Bindings: []topology.Bind{
				{Exchange: "topic", Kind: "topic", Keys: []string{"a.*", "b.#"}},
				{Exchange: "headers", Kind: "headers", Arguments: map[string]any{"x-match": "any", "n": 1}},
				{Exchange: "direct", Kind: "direct"},
				{Exchange: "fanout", Kind: "fanout"},
				{Exchange: "amq.topic", Keys: []string{"#.nothing"}},
			},
		},
		"bunnicula": {Scheme: topology.Bunnicula, Delays: []time.Duration{time.Second}},
	} {
		t.Run(name, func(t *testing.T) {
			queue := amqptest.Queue(t, "topology")
			plan.Queue = queue
			for i, bind := range plan.Bindings {
				if bind.Kind != "" {
					plan.Bindings[i].Exchange = queue + "-" + bind.Exchange
				}
			}
			for range 2 {
				if err := declare(t, plan); err != nil {
					t.Fatal(err)
				}
			}
			for _, mode := range []topology.Mode{topology.Satellites, topology.Never} {
				plan.Mode = mode
				if err := declare(t, plan); err != nil {
					t.Errorf("%v: %v", mode, err)
				}
			}
		})
	}
}

func TestTheStandardSchemeIsTheDesigns(t *testing.T) {
	queue := amqptest.Queue(t, "topology")
	raw(t, queue, amqp.Table{
		"x-queue-type": "quorum", "x-dead-letter-exchange": "", "x-dead-letter-routing-key": queue + "-error",
		"x-dead-letter-strategy": "at-least-once", "x-overflow": "reject-publish", "x-delivery-limit": 100,
	})
	raw(t, queue+"-retry-10s", amqp.Table{
		"x-queue-type": "quorum", "x-message-ttl": 10000, "x-dead-letter-exchange": "", "x-dead-letter-routing-key": queue,
		"x-dead-letter-strategy": "at-least-once", "x-overflow": "reject-publish",
	})
	raw(t, queue+"-error", amqp.Table{"x-queue-type": "quorum", "x-overflow": "reject-publish", "x-delivery-limit": 1000000})
	if err := declare(t, topology.Plan{Queue: queue, Delays: []time.Duration{10 * time.Second}}); err != nil {
		t.Error(err)
	}
}

// In each scheme and type, a declared topology retries a message after its delay, and parks a
// message.
func TestWhatIsRetriedComesBackAndWhatIsParkedStays(t *testing.T) {
	const delay = 300 * time.Millisecond
	for name, plan := range map[string]topology.Plan{
		"quorum":    {},
		"classic":   {Type: topology.Classic},
		"bunnicula": {Scheme: topology.Bunnicula},
	} {
		t.Run(name, func(t *testing.T) {
			plan.Queue, plan.Delays = amqptest.Queue(t, "topology"), []time.Duration{delay}
			if err := declare(t, plan); err != nil {
				t.Fatal(err)
			}
			topo, began := mustNew(t, plan), time.Now()
			publish(t, route.Retry(topo, delay), "retried")
			publish(t, route.Error(topo), "parked")
			if got := receive(t, route.Main(topo).Queue); got != "retried" || time.Since(began) < delay {
				t.Errorf("%q came back after %v", got, time.Since(began))
			}
			if got := receive(t, route.Error(topo).Queue); got != "parked" {
				t.Errorf("%q is parked", got)
			}
			publish(t, route.Main(topo), "given back")
			if got := receive(t, route.Main(topo).Queue); got != "given back" {
				t.Errorf("%q is in the main queue", got)
			}
		})
	}
}

func TestWhatDiesInTheMainQueueIsParked(t *testing.T) {
	for _, kind := range []topology.QueueType{topology.Quorum, topology.Classic} {
		t.Run(string(kind), func(t *testing.T) {
			queue := amqptest.Queue(t, "topology")
			plan := topology.Plan{Queue: queue, Type: kind}
			if err := declare(t, plan); err != nil {
				t.Fatal(err)
			}
			topo := mustNew(t, plan)
			publish(t, route.Main(topo), "rejected")
			reject(t, queue)
			if got := receive(t, route.Error(topo).Queue); got != "rejected" {
				t.Errorf("%q is parked", got)
			}
		})
	}
}

func TestAMismatchNamesQueueArgumentAndBothValues(t *testing.T) {
	const longest = 249
	queue := amqptest.Queue(t, "topology")
	named := func(suffix string) string { return queue + suffix }
	long := named(strings.Repeat("l", longest-len(queue)))
	deadLetter := func(queue string, more amqp.Table) amqp.Table {
		more["x-dead-letter-exchange"], more["x-dead-letter-routing-key"] = "", queue+"-error"
		return more
	}
	for _, c := range []struct {
		name      string
		arguments amqp.Table // of the existing queue
		plan      topology.Plan
		want      topology.MismatchError
	}{
		{
			named("-a"), deadLetter(named("-a"), amqp.Table{"x-queue-type": "classic", "x-overflow": "reject-publish"}), topology.Plan{},
			topology.MismatchError{Role: topology.RoleMain, Argument: "x-queue-type", Existing: "classic", Wanted: "quorum"},
		},
		{
			named("-b"), deadLetter(named("-b"), amqp.Table{"x-queue-type": "classic", "x-max-length": 5}), topology.Plan{Type: topology.Classic, Arguments: map[string]any{"x-max-length": 6}},
			topology.MismatchError{Role: topology.RoleMain, Argument: "x-max-length", Existing: "5", Wanted: "6"},
		},
		{
			named("-c"), amqp.Table{"x-queue-type": "classic"}, topology.Plan{Type: topology.Classic},
			topology.MismatchError{Role: topology.RoleMain, Argument: "x-dead-letter-exchange", Existing: "none", Wanted: `""`},
		},
		{
			named("-d"), deadLetter(named("-d"), amqp.Table{"x-queue-type": "classic", "x-overflow": "reject-publish", "x-expires": 60000}), topology.Plan{Type: topology.Classic},
			topology.MismatchError{Role: topology.RoleMain, Argument: "x-expires", Existing: "60000", Wanted: "none"},
		},
		{
			long, deadLetter(long, amqp.Table{"x-queue-type": "classic", "x-max-length": 5}), topology.Plan{Type: topology.Classic, Arguments: map[string]any{"x-max-length": 6}},
			topology.MismatchError{Role: topology.RoleMain, Argument: "x-max-length", Existing: "", Wanted: "6"},
		},
	} {
		raw(t, c.name, c.arguments)
		c.plan.Queue = c.name
		got := asMismatch(t, declare(t, c.plan))
		c.want.What, c.want.Name = "queue", c.name
		if got != c.want {
			t.Errorf("got  %+v\nwant %+v", got, c.want)
		}
	}
}

func TestAMismatchOfAnExchangeIsNamed(t *testing.T) {
	queue := amqptest.Queue(t, "topology")
	bind := topology.Bind{Exchange: queue + "-e", Kind: "fanout"}
	if err := declare(t, topology.Plan{Queue: queue, Bindings: []topology.Bind{bind}}); err != nil {
		t.Fatal(err)
	}
	bind.Kind = "topic"
	got := asMismatch(t, declare(t, topology.Plan{Queue: queue, Bindings: []topology.Bind{bind}}))
	want := topology.MismatchError{What: "exchange", Name: bind.Exchange, Argument: "type", Existing: "fanout", Wanted: "topic"}
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// asMismatch returns the MismatchError in err without its cause. The cause must be a 406.
func asMismatch(t *testing.T, err error) topology.MismatchError {
	t.Helper()
	var got *topology.MismatchError
	var cause *amqp.Error
	if !errors.As(err, &got) || !errors.As(err, &cause) || cause.Code != amqp.PreconditionFailed {
		t.Errorf("%v: not a MismatchError", err)
		return topology.MismatchError{}
	}
	mismatch := *got
	mismatch.Err = nil
	return mismatch
}

func TestSatellitesAdoptsAQueueWithArgumentsOfItsOwn(t *testing.T) {
	queue := amqptest.Queue(t, "topology")
	raw(t, queue, amqp.Table{"x-queue-type": "classic", "x-max-priority": 5})
	plan := topology.Plan{
		Queue: queue, Delays: []time.Duration{time.Millisecond}, Mode: topology.Satellites,
		Bindings: []topology.Bind{{Exchange: queue + "-e", Kind: "direct", Keys: []string{"k"}}},
	}
	if err := declare(t, plan); err != nil {
		t.Fatal(err)
	}
	publish(t, route.Retry(mustNew(t, plan), 0), "retried")
	receive(t, queue)
	publish(t, route.Destination{Exchange: queue + "-e", RoutingKey: "k"}, "bound")
	receive(t, queue)
}

func TestWhatMustBeThereAndIsNotIsMissing(t *testing.T) {
	for name, plan := range map[string]topology.Plan{
		"satellites":               {Mode: topology.Satellites},
		"satellites and a binding": {Mode: topology.Satellites, Bindings: []topology.Bind{{Exchange: "amq.topic"}}},
		"never":                    {Mode: topology.Never},
		"bunnicula, never":         {Mode: topology.Never, Scheme: topology.Bunnicula},
		"bunnicula, satellites":    {Mode: topology.Satellites, Scheme: topology.Bunnicula},
		"exchange":                 {Bindings: []topology.Bind{{Exchange: "no such exchange"}}},
		"bunnicula's exchange":     {Scheme: topology.Bunnicula, Bindings: []topology.Bind{{Exchange: "no such exchange"}}},
	} {
		t.Run(name, func(t *testing.T) {
			queue := amqptest.Queue(t, "topology")
			plan.Queue = queue
			err := declare(t, plan)
			var cause *amqp.Error
			if !errors.Is(err, topology.ErrMissing) || !errors.As(err, &cause) || cause.Code != amqp.NotFound {
				t.Fatalf("got %v", err)
			}
			want := queue
			if len(plan.Bindings) > 0 && plan.Mode == topology.All {
				want = "no such exchange"
			}
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%q is not named: %v", want, err)
			}
		})
	}
}

func TestNeverNamesTheSatelliteThatIsMissing(t *testing.T) {
	queue := amqptest.Queue(t, "topology")
	if err := declare(t, topology.Plan{Queue: queue}); err != nil {
		t.Fatal(err)
	}
	err := declare(t, topology.Plan{Queue: queue, Delays: []time.Duration{time.Hour}, Mode: topology.Never})
	if want := queue + "-retry-1h"; !errors.Is(err, topology.ErrMissing) || !strings.Contains(err.Error(), want) {
		t.Errorf("%v, want %s to be missing", err, want)
	}
}
