package delays

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// run is one run of a handler.
type run struct {
	id string
	at time.Time
}

// account is what became of messages with a delay.
type account struct {
	early []string        // handled before they were due
	lost  []string        // not handled since they were due
	late  []time.Duration // by how much the others were, the least first
}

// audit compares the runs of handlers with the orders. A message that its handler is to delay has
// to run before that; quiet is when the last of them waited. Nothing has happened to workers
// before.
func audit(orders []order, runs []run, quiet time.Time) account {
	var a account
	first := map[string]time.Time{}
	due := map[string]order{}
	for _, o := range orders {
		due[o.ID] = o
	}
	for _, r := range runs {
		o, known := due[r.id]
		switch {
		case !known:
			a.early = append(a.early, "unknown: "+r.id)
		case r.at.Before(o.Due):
			if o.Kind.isPublished() || r.at.After(quiet) {
				a.early = append(a.early, fmt.Sprintf("%s, by %s: %s", r.id, o.Kind, o.Due.Sub(r.at)))
			}
		case first[r.id].IsZero() || r.at.Before(first[r.id]):
			first[r.id] = r.at
		}
	}
	for _, o := range orders {
		if first[o.ID].IsZero() {
			a.lost = append(a.lost, o.ID)
			continue
		}
		a.late = append(a.late, first[o.ID].Sub(o.Due))
	}
	slices.Sort(a.late)
	return a
}

// lateness returns by how much a message was late that is later than this part of all.
func (a account) lateness(part float64) time.Duration {
	if len(a.late) == 0 {
		return 0
	}
	return a.late[min(len(a.late)-1, int(part*float64(len(a.late))))].Round(time.Millisecond)
}

func (a account) String() string {
	return fmt.Sprintf("late: p50 %s, p99 %s, max %s; %d early, %d lost", a.lateness(0.5), a.lateness(0.99), a.lateness(1), len(a.early), len(a.lost))
}

// readRun reads a line of a worker.
func readRun(line string) (run, bool) {
	words := strings.Fields(line)
	if len(words) != 3 || words[0] != "run" {
		return run{}, false
	}
	ns, err := strconv.ParseInt(words[2], 10, 64)
	return run{words[1], time.Unix(0, ns)}, err == nil
}

func TestTheAccountFindsWhatIsEarlyLostAndLate(t *testing.T) {
	begin := time.Unix(1_800_000_000, 0)
	at := func(seconds int) time.Time { return begin.Add(time.Duration(seconds) * time.Second) }
	orders := []order{
		{"a", byDelay, at(10)}, {"b", byAt, at(10)}, {"c", bySnooze, at(10)}, {"d", byRetry, at(10)}, {"e", byDelay, at(10)},
	}
	got := audit(orders, []run{
		{"c", at(1)}, {"d", at(1)}, {"c", at(5)}, {"a", at(9)}, {"a", at(12)}, {"b", at(11)}, {"b", at(30)}, {"c", at(10)}, {"d", at(15)},
	}, at(2))
	if len(got.early) != 2 || !slices.Equal(got.lost, []string{"e"}) || !slices.Equal(got.late, []time.Duration{0, time.Second, 2 * time.Second, 5 * time.Second}) {
		t.Errorf("%+v", got)
	}
	if r, ok := readRun("run a 1800000000000000000"); !ok || r != (run{"a", begin}) {
		t.Errorf("%+v, %t", r, ok)
	}
	for _, line := range []string{"run a 18000x", "run a", "asked a", ""} {
		if _, ok := readRun(line); ok {
			t.Errorf("%q is read", line)
		}
	}
}
