package snapshot

import (
	"testing"
	"time"
)

func TestWhatAReadingDoesNext(t *testing.T) {
	now := epoch
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	for name, c := range map[string]struct {
		state state
		deed  deed
		wait  time.Duration
	}{
		"it asks first":               {state{now: now, looked: now, depth: -1, of: -1, auto: 10}, ask, 0},
		"a short queue is read":       {state{now: now, looked: now, depth: 10, depthAt: now, of: -1, auto: 10}, pass, 0},
		"a long one is not":           {state{now: now, looked: now, depth: 11, depthAt: ago(time.Second), of: -1, auto: 10}, rest, 4 * time.Second},
		"none of unknown length is":   {state{now: now, looked: now, depth: -1, depthAt: now, of: -1, auto: 10}, rest, 5 * time.Second},
		"none by hand is":             {state{now: now, looked: now, depth: 1, depthAt: now, of: -1, auto: 10, byHand: true}, rest, 5 * time.Second},
		"what is wanted is":           {state{now: now, looked: now, depth: 11, depthAt: now, of: -1, auto: 10, byHand: true, wanted: true}, pass, 0},
		"it asks each 5 s":            {state{now: now, looked: now, depth: 11, depthAt: ago(askEvery), of: -1, auto: 10}, ask, 0},
		"a change is read":            {state{now: now, viewers: 1, depth: 12, depthAt: now, passes: 1, of: 11, ended: ago(time.Minute), auto: 10}, pass, 0},
		"no change is not":            {state{now: now, viewers: 1, depth: 11, depthAt: now, passes: 1, of: 11, ended: ago(time.Hour)}, rest, 5 * time.Second},
		"not within a minute":         {state{now: now, viewers: 1, depth: 12, depthAt: now, passes: 1, of: 11, ended: ago(59 * time.Second)}, rest, 5 * time.Second},
		"not within 20 times":         {state{now: now, viewers: 1, depth: 12, depthAt: now, passes: 1, of: 11, ended: ago(time.Minute), took: 4 * time.Second}, rest, 5 * time.Second},
		"after 20 times it is":        {state{now: now, viewers: 1, depth: 12, depthAt: now, passes: 1, of: 11, ended: ago(80 * time.Second), took: 4 * time.Second}, pass, 0},
		"nor unless somebody watches": {state{now: now, looked: ago(time.Minute), depth: 12, depthAt: now, passes: 1, of: 11, ended: ago(time.Hour)}, rest, 29 * time.Minute},
		"it leaves when nobody looks": {state{now: now, looked: ago(unwatched), depth: 12, depthAt: now, passes: 1, of: 11, ended: ago(time.Hour)}, leave, 0},
		"but not who watches":         {state{now: now, viewers: 1, looked: ago(unwatched), depth: 11, depthAt: now, passes: 1, of: 11}, rest, 5 * time.Second},
	} {
		if d, wait := decide(c.state); d != c.deed || wait != c.wait {
			t.Errorf("%s: %d after %v, want %d after %v", name, d, wait, c.deed, c.wait)
		}
	}
}
