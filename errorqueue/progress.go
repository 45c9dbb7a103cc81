package errorqueue

import (
	"log/slog"
	"runtime/debug"
	"strconv"
	"time"
)

// Progress says how far a call has come. The call's own goroutine reports it, at most ten times a
// second, at the beginning of each phase and at the end, and waits for the callback. So the
// callback may draw a line, but should not call a server. A panic of the callback is logged; the
// call goes on, and reports no more.
type Progress struct {
	// Queue is the queue that a Move reads at the moment. It is "" in other calls.
	Queue string `json:"queue,omitempty"`

	// Phase is what the call does at the moment. It is "" in the last report.
	Phase Phase `json:"phase"`

	// Messages in the queue, or the file, at the start; -1 if unknown. It is Within at most.
	Of int `json:"of"`

	Read    int `json:"read"`    // so far; starts again with each round of a redrive
	Matched int `json:"matched"` // of those, chosen by the filter
	Moved   int `json:"moved"`   // published and confirmed, or deleted
	Failed  int `json:"failed"`  // could not be published, and stay where they are
	Round   int `json:"round"`   // of a redrive, from 1

	// Watch is how much longer a redrive watches a batch, in nanoseconds. It is 0 while messages
	// are moved.
	Watch time.Duration `json:"watch"`

	// Batch is the number of the batch that a redrive moves or watches, from 1. It is 0 without
	// Batches.
	Batch int `json:"batch,omitempty"`

	// FailedAgain is how many messages of this batch are parked again, as far as its watch has
	// seen. The watch reads the queue when more messages are parked than are tolerated, and at its
	// end.
	FailedAgain int `json:"failed_again,omitempty"`
}

// Phase is what a call does at the moment. The same phase may come several times.
type Phase string

// The phases.
const (
	// PhaseWaiting: another reader has the queue, there is no connection, or a Move waits for
	// messages.
	PhaseWaiting Phase = "waiting"

	PhaseReading Phase = "reading" // and nothing is moved

	// PhaseMoving: messages are read and those that are chosen are moved. A Rate may slow it.
	PhaseMoving Phase = "moving"

	PhaseWatching Phase = "watching" // whether the messages of a batch fail again

	// PhaseGivingBack: the messages that were read go back to the queue, in their order. That may
	// mean to read others first, without counting them: see [Queue.List].
	PhaseGivingBack Phase = "giving back"
)

// reporter reports the progress to the caller. One goroutine uses it, that of the call.
type reporter struct {
	queue  string         // that is read; set by a migration
	to     func(Progress) // nil if nobody is told, or after a panic
	log    *slog.Logger   // immutable
	phase  Phase          // written by enter
	latest Progress       // the last one that tell was given
	told   time.Time      // when the last report was made

	// Of the batch that is moved or watched. Written by beginBatch and failed.
	batch, failedAgain int
}

const tellEvery = 100 * time.Millisecond

func newReporter(to func(Progress), log *slog.Logger) *reporter {
	return &reporter{to: to, log: log, latest: Progress{Of: -1}}
}

// enter begins a phase, and reports it at once: the phase may be long, and have nothing to tell.
func (r *reporter) enter(p Phase) {
	if p == r.phase {
		return
	}
	r.phase, r.told = p, time.Time{}
	r.tell(r.latest)
}

// tell makes a report, unless the last one was a moment ago.
func (r *reporter) tell(now Progress) {
	now.Queue, now.Phase, now.Batch, now.FailedAgain = r.queue, r.phase, r.batch, r.failedAgain
	r.latest = now
	if r.to == nil || time.Since(r.told) < tellEvery {
		return
	}
	r.told = time.Now()
	r.call(now)
}

// call calls the callback. After a panic, which is logged, it is called no more: the messages that
// the call moves are worth more than the report of it.
func (r *reporter) call(now Progress) {
	defer func() {
		if p := recover(); p != nil {
			r.to = nil
			r.log.Error("Progress panicked", "panic", p, "stack", string(debug.Stack()))
		}
	}()
	r.to(now)
}

// beginBatch begins a batch, when so many messages of those before it were moved.
func (r *reporter) beginBatch(number, moved int) {
	r.batch, r.failedAgain, r.told = number, 0, time.Time{}
	r.latest.Moved = moved
	r.tell(r.latest)
}

// movedBatch notes how many messages were moved at the end of a batch.
func (r *reporter) movedBatch(moved int) { r.latest.Moved = moved }

// failed reports at once how many messages of the batch are parked again.
func (r *reporter) failed(n int) {
	if n != r.failedAgain {
		r.failedAgain, r.told = n, time.Time{}
		r.tell(r.latest)
	}
}

// watch reports how much longer a redrive watches a batch.
func (r *reporter) watch(d time.Duration) {
	now := r.latest
	now.Watch = d
	r.tell(now)
}

// end reports the latest progress.
func (r *reporter) end() {
	if r.to != nil {
		r.latest.Phase = ""
		r.call(r.latest)
	}
}

// orEmpty makes JSON write an empty list as [], so that readers of the JSON need not expect null.
func orEmpty[T any](all []T) []T {
	if all == nil {
		return []T{}
	}
	return all
}

func itoa(n int) string { return strconv.Itoa(n) }
