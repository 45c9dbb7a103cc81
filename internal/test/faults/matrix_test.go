//go:build unix

package faults_test

import (
	"flag"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
)

// matrix has every scenario, in the order of the page.
var matrix = slices.Concat(
	linkScenarios,
	workerScenarios,
	crashScenarios,
	queueScenarios,
	messageScenarios,
	handlerScenarios,
	monitorScenarios,
	memoryScenarios,
	redriveScenarios,
	permissionScenarios,
	brokerScenarios,
	alarmScenarios,
	ackTimeoutScenarios,
	deadLetterScenarios,
	vhostScenarios,
	clockScenarios,
	clusterScenarios,
)

var (
	runAll      = flag.Bool("faults", false, "run the whole matrix, not only its quick scenarios")
	resultsFile = flag.String("results", "", "append what is measured to this file")
	updatePage  = flag.Bool("update", false, "make docs/RELIABILITY.md of the file in -results")
	soakFor     = flag.Duration("soak", 0, "run TestSoak for so long")
	seed        = flag.Uint64("seed", 0, "play the faults of the soak with this seed again")
)

func TestMain(m *testing.M) {
	if config, ok := os.LookupEnv(workerVariable); ok {
		os.Exit(work(config))
	}
	goleak.VerifyTestMain(m)
}

func TestFaults(t *testing.T) {
	ours := newVisitors()
	t.Cleanup(func() { ours.gone(t, func(args ...string) string { return amqptest.Ctl(t, args...) }) })
	v := &victims{all: t}
	run := func(sc scenario) {
		t.Run(sc.name, func(t *testing.T) {
			if !*runAll && !sc.quick {
				t.Skip("only with -faults")
			}
			var g ground
			switch sc.on {
			case shared:
				// Two run at once on two cores. They wait until the scenarios on the victim have
				// ended.
				t.Parallel()
				g = ground{urls: []string{amqptest.URL(t)}, visitors: ours}
			case victim:
				g = v.ground(t)
			case own, aside:
				g = lonely(t, sc)
			case trio:
				g = clustered(t, sc)
			}
			play(t, sc, g)
		})
	}
	var beside sync.WaitGroup
	defer beside.Wait()
	for _, sc := range matrix {
		if sc.on == aside {
			beside.Go(func() { run(sc) })
		}
	}
	for _, sc := range matrix {
		if sc.on != aside {
			run(sc)
		}
	}
}

// play runs one scenario.
func play(t *testing.T, sc scenario, g ground) {
	if *runAll {
		began := time.Now()
		t.Cleanup(func() { t.Logf("took %s", time.Since(began).Round(100*time.Millisecond)) })
	}
	if is43(amqptest.Version(t)) {
		sc = sc.on43()
	}
	s := newStage(t, sc, g)
	// What runs must end even after a t.Fatal.
	defer func() {
		s.finish()
		for _, r := range s.rows {
			r.Failed = t.Failed()
			r.record(t)
		}
	}()
	sc.run(s)
}

// lonely starts a broker for one scenario.
func lonely(t *testing.T, sc scenario) ground {
	b := amqptest.StartBroker(t, sc.settings...)
	g := ground{urls: []string{b.URL}, broker: b, visitors: newVisitors()}
	t.Cleanup(func() { g.visitors.gone(t, b.Ctl) })
	return g
}

func clustered(t *testing.T, sc scenario) ground {
	c := amqptest.StartCluster(t, sc.settings...)
	g := ground{urls: c.URLs(), cluster: c, visitors: newVisitors()}
	t.Cleanup(func() { g.visitors.gone(t, c.Nodes[0].Ctl) })
	return g
}

// victims is the broker that scenarios break one after the other. The first of them starts it.
type victims struct {
	all    testing.TB
	tenant *tenant
	stands ground
}

// tenant is the testing.TB of a broker that outlives a scenario. It logs and fails as the current
// scenario. Its cleanups run after all scenarios.
type tenant struct {
	testing.TB
	all testing.TB
}

func (t *tenant) Cleanup(f func()) { t.all.Cleanup(f) }

func (v *victims) ground(t *testing.T) ground {
	t.Helper()
	if v.tenant == nil {
		v.tenant = &tenant{TB: t, all: v.all}
		b := amqptest.StartBroker(v.tenant)
		v.stands = ground{urls: []string{b.URL}, broker: b, visitors: newVisitors()}
		v.all.Cleanup(func() { // before the broker is wiped
			v.tenant.TB = v.all
			b.Start()
			v.stands.visitors.gone(v.all, b.Ctl)
		})
		return v.stands
	}
	v.tenant.TB = t
	// The scenario before may have left it down.
	v.stands.broker.Start()
	return v.stands
}
