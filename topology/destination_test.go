package topology_test

import (
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/topology"
)

func TestCopiesGoThroughTheDefaultExchange(t *testing.T) {
	topo := mustNew(t, topology.Plan{Queue: "q", Delays: []time.Duration{time.Second}, Bindings: []topology.Bind{events}})
	for _, c := range []struct{ got, want topology.Destination }{
		{topo.Main(), topology.Destination{RoutingKey: "q", Queue: "q"}},
		{topo.Retry(time.Second), topology.Destination{RoutingKey: "q-retry-1s", Queue: "q-retry-1s", Delay: time.Second}},
		{topo.Error(), topology.Destination{RoutingKey: "q-error", Queue: "q-error"}},
	} {
		if c.got != c.want {
			t.Errorf("got %+v, want %+v", c.got, c.want)
		}
	}
}

func TestCopiesOfBunniculaTakeItsExchanges(t *testing.T) {
	topo := mustNew(t, topology.Plan{Queue: "q", Delays: []time.Duration{time.Second}, Scheme: topology.Bunnicula})
	for _, c := range []struct{ got, want topology.Destination }{
		{topo.Main(), topology.Destination{RoutingKey: "q", Queue: "q"}},
		{topo.Retry(time.Hour), topology.Destination{
			Exchange: "q-retry", RoutingKey: "#", Queue: "q-retry", Delay: time.Second, Expiration: time.Second,
		}},
		{topo.Error(), topology.Destination{Exchange: "q-error", RoutingKey: "#", Queue: "q-error"}},
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
		if got := topo.Retry(delay); got.Delay != want || got.Queue != topology.RetryQueue("q", want) {
			t.Errorf("Retry(%v) = %+v, want %v", delay, got, want)
		}
	}
}

func TestWithoutDelaysRetryIsNowhere(t *testing.T) {
	for _, scheme := range []topology.Scheme{topology.Standard, topology.Bunnicula} {
		topo := mustNew(t, topology.Plan{Queue: "q", Scheme: scheme})
		if got := topo.Retry(time.Second); got != (topology.Destination{}) {
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
		if got.Main() != all.Main() || got.Retry(time.Second) != all.Retry(time.Second) || got.Error() != all.Error() {
			t.Errorf("%v: %+v %+v %+v", mode, got.Main(), got.Retry(time.Second), got.Error())
		}
	}
}

func TestTheZeroTopologyGoesNowhere(t *testing.T) {
	var topo topology.Topology
	for _, got := range []topology.Destination{topo.Main(), topo.Retry(time.Second), topo.Error()} {
		if got != (topology.Destination{}) {
			t.Errorf("got %+v", got)
		}
	}
}
