package errorqueue

import (
	"strconv"
	"time"
)

// Progress is how far a call is. It is told at most ten times a second, and at the end, by the goroutine of the call, which
// waits for it: a callback that draws a line is fine, and one that asks a server is not.
type Progress struct {
	Of      int `json:"of"`      // messages that were in the queue, or lines that were in the file, at the start; -1 if unknown
	Read    int `json:"read"`    // so far; a redrive in rounds begins anew with each
	Matched int `json:"matched"` // of those, chosen by the filter
	Moved   int `json:"moved"`   // published and confirmed, or deleted
	Failed  int `json:"failed"`  // could not be published, and stay where they are
	Round   int `json:"round"`   // of a redrive, from 1

	Watch time.Duration `json:"watch"` // how much longer a redrive looks after a batch, in nanoseconds; 0 while it moves
}

const tellEvery = 100 * time.Millisecond

type reporter struct {
	to   func(Progress)
	now  Progress
	last time.Time
}

func (r *reporter) tell() {
	if r.to == nil || time.Since(r.last) < tellEvery {
		return
	}
	r.last = time.Now()
	r.to(r.now)
}

func (r *reporter) end() {
	if r.to != nil {
		r.to(r.now)
	}
}

// orEmpty is a list that JSON writes as [] where there is nothing, for those who go over it.
func orEmpty[T any](all []T) []T {
	if all == nil {
		return []T{}
	}
	return all
}

func itoa(n int) string { return strconv.Itoa(n) }
