package partitions_test

import (
	"flag"
	"fmt"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
)

var (
	seeds  = flag.Int("seeds", 1, "how many seeds are played")
	first  = flag.Uint64("seed", 1, "the first of them")
	played = flag.String("variant", string(block), "how partitions are consumed: block, skip, or shared, which fails")
)

// wholePlan is the run by which ordered keys are judged.
func wholePlan(seed uint64, v variant) plan {
	return plan{seed: seed, variant: v, messages: 8000, keys: 400, partitions: 8, processes: 3, span: 20 * time.Second}
}

func TestKeysStayInOrderWhenProcessesDie(t *testing.T) {
	t.Parallel()
	p := plan{seed: *first, variant: variant(*played), messages: 600, keys: 40, partitions: 4, processes: 2, span: 2 * time.Second}
	newStage(t, p, amqptest.URL(t), nil).perform(1).judge(t)
}

func TestKilledKeysStayInOrder(t *testing.T) {
	amqptest.Long(t)
	broker := amqptest.StartBroker(t)
	for i := range *seeds {
		seed := max(1, *first) + uint64(i)
		if !t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			newStage(t, wholePlan(seed, variant(*played)), broker.URL, broker).perform(2).judge(t)
		}) {
			return
		}
	}
}

// Without use.InPlace a message that fails waits in a retry queue, and those of its key go on.
func TestKilledNothingIsLostWhenFailuresAreSkipped(t *testing.T) {
	amqptest.Long(t)
	t.Parallel()
	p := plan{seed: max(1, *first), variant: skip, messages: 1500, keys: 100, partitions: 4, processes: 2, span: 6 * time.Second}
	v := newStage(t, p, amqptest.URL(t), nil).perform(1)
	complain(t, v.wrong)
	if len(v.inversions) == 0 {
		t.Error("no message that waits for its retry was overtaken; the account would not see that of block either")
	}
}

// judge is for block.
func (v verdict) judge(t *testing.T) {
	t.Helper()
	complain(t, v.inversions)
	complain(t, v.backwards)
	complain(t, v.wrong)
	if v.failed == 0 || v.parked == 0 || v.behind == 0 || v.sessions == 0 {
		t.Errorf("nothing has happened: %v", v)
	}
}

func complain(t *testing.T, all []string) {
	t.Helper()
	for i, c := range all {
		if i == 10 {
			t.Errorf("and %d more", len(all)-i)
			break
		}
		t.Error(c)
	}
}
