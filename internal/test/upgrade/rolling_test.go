//go:build unix

package upgrade_test

import (
	"flag"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
)

var (
	seed        = flag.Uint64("seed", 0, "play the rolling upgrade of this seed again; 0 is a new one")
	messages    = flag.Int("messages", 4000, "how many messages the rolling upgrade publishes")
	fixtureFile = flag.String("make", "", "make this fixture anew, with the code of UPGRADE_FROM")
)

// folder is where the programs stand that are compiled with both versions.
const folder = "internal/test/upgrade"

// earlier returns a tree with the code of the commit that UPGRADE_FROM names, and with today's
// programs in it.
func earlier(t *testing.T) string {
	t.Helper()
	commit := os.Getenv("UPGRADE_FROM")
	if commit == "" {
		t.Skip("UPGRADE_FROM names no commit (make upgrade)")
	}
	tree := t.TempDir()
	run(t, "bash", "-euo", "pipefail", "-c", `
		cd "$(git rev-parse --show-toplevel)"
		git archive "$1" | tar -x -C "$2"
		mkdir -p "$2/$3"
		cp -r "$3/fixture" "$3/maker" "$3/order" "$3/worker" "$2/$3"`, "bash", commit, tree, folder)
	return tree
}

// build compiles one of the programs in a tree, and returns its file.
func build(t *testing.T, tree, program string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), program)
	run(t, "go", "build", "-C", tree, "-trimpath", "-o", file, "./"+folder+"/"+program)
	return file
}

func run(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
}

func TestMakeFixture(t *testing.T) {
	if *fixtureFile == "" {
		t.Skip("no fixture is to be made (-make)")
	}
	file, err := filepath.Abs(*fixtureFile)
	if err != nil {
		t.Fatal(err)
	}
	maker := amqptest.StartProcess(t, []string{"AMQP_URL=" + amqptest.URL(t), "FIXTURE=" + file}, amqptest.Program(build(t, earlier(t), "maker")))
	if code := maker.Wait(5 * time.Minute); code != 0 {
		t.Errorf("the maker ended with %d", code)
	}
}

// Workers of the earlier version run, then of both, then of today's, on the same queues. All the
// time they are killed, stopped and started again.
func TestRollingUpgradeLosesNothing(t *testing.T) {
	c := conduct(t, [slots]string{old, old, old, old})
	c.publish(*messages, 8)
	c.roll()
	c.settle()
	c.judge()
}

// Messages that kill go round one quarantine queue, from which workers of both versions take them.
// They are parked, and no other is. They may kill more often than MaxCrashes: today's version gives
// a message a hearing of 20 s by copies in the queue, and the version that knows no hearings counts
// each copy from 0, and runs it. Only the hearing bounds that.
func TestRollingUpgradeSharesTheQuarantine(t *testing.T) {
	c := conduct(t, [slots]string{old, today, old, today})
	c.publish(*messages/4, 20)
	c.whilePublishing(func() {})
	c.settle()
	c.judge()
}

// conduct builds the workers of both versions and starts some.
func conduct(t *testing.T, first [slots]string) *conductor {
	t.Helper()
	programs := map[string]string{old: build(t, earlier(t), "worker"), today: build(t, "../../..", "worker")}
	if *seed == 0 {
		*seed = rand.Uint64N(1_000_000) + 1
	}
	t.Logf("seed %d, RabbitMQ %s", *seed, amqptest.Version(t))
	return newConductor(t, programs, rand.New(rand.NewPCG(*seed, 0)), first)
}

// judge audits, and says what there was.
func (c *conductor) judge() {
	c.t.Helper()
	v := audit(c.evidence())
	c.t.Logf("seed %d: %d messages, %d acked, %d parked, %d of them crashed; %d kills of old workers, %d of new; %d stops; "+
		"%d deaths by messages in old workers, %d in new; %d begun by old, %d by new; a killer began at most %d times; lost %d, twice %d",
		*seed, len(c.confirmed), v.acked, v.parked, v.crashed, c.kills[old], c.kills[today], c.stops,
		c.deaths[old], c.deaths[today], c.begun(old), c.begun(today), v.begun, v.lost, v.twice)
	for i, complaint := range v.complaints {
		if i == 20 {
			c.t.Errorf("and %d more", len(v.complaints)-i)
			break
		}
		c.t.Error(complaint)
	}
	if v.crashed == 0 || c.begun(old) == 0 || c.begun(today) == 0 {
		c.t.Error("no message crashed, or one version handled nothing")
	}
}
