package route_test

import (
	"slices"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/route"
	"github.com/bunnicula-go/bunnicula/topology"
)

// ladder is wire format: another version of this module, or a program in another language, has the
// same delays in the names of its retry queues.
var ladder = []time.Duration{
	250 * time.Millisecond, time.Second, 5 * time.Second, 15 * time.Second, time.Minute, 5 * time.Minute, 15 * time.Minute, time.Hour, 6 * time.Hour, 24 * time.Hour,
}

func TestTheLadderNeverChanges(t *testing.T) {
	if !slices.Equal(topology.Ladder, ladder) {
		t.Errorf("topology.Ladder is %v, want %v", topology.Ladder, ladder)
	}
	for i, rung := range ladder {
		above := topology.MaxDelay
		if i+1 < len(ladder) {
			above = ladder[i+1] - 1
		}
		for _, want := range []time.Duration{rung, rung + 1, above} {
			if got := route.Rung(want); got != rung {
				t.Errorf("a delay of %s begins with %s, want %s", want, got, rung)
			}
		}
	}
	for _, want := range []time.Duration{-time.Hour, 0, 1, 250*time.Millisecond - 1} {
		if got := route.Rung(want); got != 250*time.Millisecond {
			t.Errorf("a delay of %s begins with %s, want the shortest", want, got)
		}
	}
}

func TestAProgramThatChangesTheLadderChangesNoRung(t *testing.T) {
	was := slices.Clone(topology.Ladder)
	defer copy(topology.Ladder, was)
	for i := range topology.Ladder {
		topology.Ladder[i] = 7 * time.Second
	}
	for _, rung := range ladder {
		if got := route.Rung(rung); got != rung {
			t.Errorf("a delay of %s begins with %s", rung, got)
		}
	}
}

// A consumer that has the Ladder takes what Rung chooses: both choose alike.
func TestRungChoosesAsAConsumerOnTheLadderDoes(t *testing.T) {
	topo := mustNew(t, topology.Plan{Queue: "q", Delays: topology.Ladder})
	for want := time.Duration(1); want < 50*time.Hour; want += want/7 + time.Millisecond {
		if got, consumers := route.Rung(want), route.Retry(topo, want).Delay; got != consumers {
			t.Errorf("a delay of %s begins with %s, and a consumer goes on with %s", want, got, consumers)
		}
	}
}

// topology.Ladder says how often a message is sent on at most. Each time it comes some milliseconds
// late.
func TestAMessagePassesAtMostThirtyRungsAndOneForEachDay(t *testing.T) {
	const late = 3 * time.Millisecond
	most := 0
	for seconds := range 24 * 60 * 60 {
		for _, part := range []time.Duration{0, 50 * time.Millisecond, 500 * time.Millisecond, 999 * time.Millisecond} {
			hops := 0
			for left := time.Duration(seconds)*time.Second + part; left >= 50*time.Millisecond; hops++ {
				left -= route.Rung(left) + late
			}
			most = max(most, hops)
		}
	}
	if most != 30 {
		t.Errorf("a delay of less than a day takes up to %d, want 30", most)
	}
}
