package route_test

import (
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/route"
	"github.com/bunnicula-go/bunnicula/topology"
)

func TestCopiesGoThroughTheDefaultExchange(t *testing.T) {
	topo := mustNew(t, topology.Plan{Queue: "q", Delays: []time.Duration{time.Second}, Bindings: []topology.Bind{{Exchange: "events", Kind: "topic", Keys: []string{"order.*", "refund.#"}}}})
	for _, c := range []struct{ got, want route.Destination }{
		{route.Main(topo), route.Destination{RoutingKey: "q", Queue: "q"}},
		{route.Retry(topo, time.Second), route.Destination{RoutingKey: "q-retry-1s", Queue: "q-retry-1s", Delay: time.Second}},
		{route.Error(topo), route.Destination{RoutingKey: "q-error", Queue: "q-error"}},
	} {
		if c.got != c.want {
			t.Errorf("got %+v, want %+v", c.got, c.want)
		}
	}
}

func TestCopiesOfBunniculaTakeItsExchanges(t *testing.T) {
	topo := mustNew(t, topology.Plan{Queue: "q", Delays: []time.Duration{time.Second}, Scheme: topology.Bunnicula})
	for _, c := range []struct{ got, want route.Destination }{
		{route.Main(topo), route.Destination{RoutingKey: "q", Queue: "q"}},
		{route.Retry(topo, time.Hour), route.Destination{
			Exchange: "q-retry", RoutingKey: "#", Queue: "q-retry", Delay: time.Second, Expiration: time.Second,
		}},
		{route.Error(topo), route.Destination{Exchange: "q-error", RoutingKey: "#", Queue: "q-error"}},
	} {
		if c.got != c.want {
			t.Errorf("got %+v, want %+v", c.got, c.want)
		}
	}
}

func TestRetryTakesTheLongestDelayThatFitsOrElseTheShortest(t *testing.T) {
	topo := mustNew(t, topology.Plan{Queue: "q", Delays: []time.Duration{time.Minute, time.Second, time.Hour}})
	for delay, want := range map[time.Duration]time.Duration{
		0:                                time.Second,
		-time.Hour:                       time.Second,
		time.Millisecond:                 time.Second,
		time.Second:                      time.Second,
		59 * time.Second:                 time.Second,
		time.Minute:                      time.Minute,
		time.Hour - time.Nanosecond:      time.Minute,
		time.Hour:                        time.Hour,
		topology.MaxDelay + 24*time.Hour: time.Hour,
	} {
		if got := route.Retry(topo, delay); got.Delay != want || got.Queue != topology.RetryQueue("q", want) {
			t.Errorf("Retry(%v) = %+v, want %v", delay, got, want)
		}
	}
}

func TestWithoutDelaysRetryIsNowhere(t *testing.T) {
	for _, scheme := range []topology.Scheme{topology.Standard, topology.Bunnicula} {
		topo := mustNew(t, topology.Plan{Queue: "q", Scheme: scheme})
		if got := route.Retry(topo, time.Second); got != (route.Destination{}) {
			t.Errorf("%v: got %+v", scheme, got)
		}
	}
}

func TestModesDoNotChangeWhereCopiesGo(t *testing.T) {
	plan := topology.Plan{Queue: "q", Delays: []time.Duration{time.Second}}
	all := mustNew(t, plan)
	for _, mode := range []topology.Mode{topology.Satellites, topology.Never} {
		plan.Mode = mode
		got := mustNew(t, plan)
		if route.Main(got) != route.Main(all) || route.Retry(got, time.Second) != route.Retry(all, time.Second) || route.Error(got) != route.Error(all) {
			t.Errorf("%v: %+v %+v %+v", mode, route.Main(got), route.Retry(got, time.Second), route.Error(got))
		}
	}
}

func TestTheZeroTopologyGoesNowhere(t *testing.T) {
	var topo topology.Topology
	for _, got := range []route.Destination{route.Main(topo), route.Retry(topo, time.Second), route.Error(topo)} {
		if got != (route.Destination{}) {
			t.Errorf("got %+v", got)
		}
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
