package use

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/foreign"
)

// batch is some members that meet.
type batch[M any] struct {
	poked      chan struct{} // wakes who leads: the batch is sealed, or due sooner
	leaderless chan struct{} // one of the members is to take it, and leads then
	done       chan struct{} // closed when it has ended

	// The batcher's mu guards what is below. But for the count, the state and seat.left nothing of
	// it changes once the batch runs, and then the members read it without mu.
	state   batchState
	members []M    // in the order in which they came
	seats   []seat // one for each of members
	count   int    // members that have not left
	due     time.Time
	cancel  context.CancelCauseFunc // of the function's context, when it runs

	// Who leads writes these before done is closed; members read them after that.
	results  []consumer.Result
	failure  error // of a function that panicked
	stopping bool  // a stop has cancelled the function's context
}

type batchState int

const (
	gathering batchState = iota
	sealed
	running
	ended
)

// seat is what is known of a member.
type seat struct {
	ctx  context.Context
	id   string // of its message
	body []byte // of its message, as it came; what is in it may change
	left bool   // while the batch runs too
	at   int    // its index in what the function is given; -1 if it left before
}

func newBatch[M any](size int, due time.Time) *batch[M] {
	return &batch[M]{
		poked: make(chan struct{}, 1), leaderless: make(chan struct{}, 1), done: make(chan struct{}),
		members: make([]M, 0, size), seats: make([]seat, 0, size), due: due,
	}
}

func (own *batch[M]) poke() {
	select {
	case own.poked <- struct{}{}:
	default:
	}
}

// result returns what the function said of a member. It panics if the function did.
func (own *batch[M]) result(i int) consumer.Result {
	if own.failure != nil {
		panic(own.failure)
	}
	return own.results[own.seats[i].at]
}

// lead waits for others, runs the function, and tells them what it said.
func (b *batcher[M]) lead(ctx context.Context, own *batch[M], i int) consumer.Result {
	if !b.gather(ctx, own) {
		return b.resign(ctx, own, i)
	}
	ctx, stop := b.begin(ctx, own)
	defer stop()
	b.look(ctx, own)
	clean := false
	defer func() {
		var p any
		if !clean {
			p = recover()
			own.failure = failure(p)
		}
		own.stopping = stopped(ctx)
		b.end(own)
		if p != nil {
			panic(p) // the stack has the function still, and the consumer sees it
		}
	}()
	own.results = answers(ctx, own, b.run(ctx, own.members), b.delivery)
	clean = true
	return own.results[own.seats[i].at]
}

// begin takes out the members that have left, and makes the function's context.
func (b *batcher[M]) begin(ctx context.Context, own *batch[M]) (run context.Context, stop context.CancelFunc) {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := 0
	var earliest time.Time
	for i := range own.seats {
		if own.seats[i].left {
			own.seats[i].at = -1
			continue
		}
		if d, ok := own.seats[i].ctx.Deadline(); ok && (earliest.IsZero() || d.Before(earliest)) {
			earliest = d
		}
		own.seats[i].at, own.members[n] = n, own.members[i]
		n++
	}
	clear(own.members[n:])
	own.members = own.members[:n:n]
	own.state, b.usual = running, n

	run, cancel := context.WithCancelCause(ctx)
	own.cancel, stop = cancel, func() { cancel(nil) }
	if d, ok := ctx.Deadline(); !earliest.IsZero() && (!ok || earliest.Before(d)) {
		run, stop = context.WithDeadline(run, earliest)
	}
	return run, stop
}

// end lets the members go.
func (b *batcher[M]) end(own *batch[M]) {
	b.mu.Lock()
	defer b.mu.Unlock()
	own.state = ended
	b.inside -= own.count
	close(own.done)
}

// failure returns with what the members panic whose function has panicked with p, or has called
// runtime.Goexit.
func failure(p any) error {
	if p == nil {
		return errors.New("use.Batch: the function called runtime.Goexit")
	}
	if err, ok := p.(error); ok {
		return fmt.Errorf("use.Batch: the function panicked: %w", foreign.Safe(err))
	}
	return fmt.Errorf("use.Batch: the function panicked: %s", foreign.Panic(p))
}

// answers returns a Result for each member. They are in memory of their own, because the function
// may use its slice again for the next batch.
func answers[M any](ctx context.Context, own *batch[M], said []consumer.Result, delivery func(*M) *consumer.Delivery) []consumer.Result {
	results := make([]consumer.Result, len(own.members))
	if err := own.mismatch(said, delivery); err != nil {
		for i := range results {
			results[i] = consumer.Retry(err)
		}
		return results
	}
	copy(results, said)
	for i, r := range results {
		if timedOut(ctx, r) { // not all members may be past their own deadlines yet
			results[i] = consumer.Timeout(r.Err())
		}
	}
	return results
}

// mismatch returns an error if nobody can tell whose Result is whose.
func (own *batch[M]) mismatch(said []consumer.Result, delivery func(*M) *consumer.Delivery) error {
	if len(said) != len(own.members) {
		return fmt.Errorf("use.Batch: the function returned %d results for %d messages, such as %s", len(said), len(own.members), own.one())
	}
	for i := range own.seats {
		if s := &own.seats[i]; s.at >= 0 && own.moved(s, delivery(&own.members[s.at])) {
			return fmt.Errorf("use.Batch: the function has reordered the messages it was given, such as %s", own.one())
		}
	}
	return nil
}

// moved returns whether another message stands where that of a seat was. Messages may have the same
// id, so it looks for the body of another one, by where it is in memory. A body that is none of the
// batch's was replaced by the function.
func (own *batch[M]) moved(s *seat, d *consumer.Delivery) bool {
	switch {
	case d.MessageID != s.id:
		return true
	case isSame(d.Body, s.body):
		return false
	}
	return slices.ContainsFunc(own.seats, func(other seat) bool { return other.at >= 0 && isSame(d.Body, other.body) })
}

// isSame returns whether two bodies begin at the same place in memory.
func isSame(a, b []byte) bool { return len(a) > 0 && len(b) > 0 && &a[0] == &b[0] }

// one names a message of the batch. It is one alone, and quoted, so that failures of batches of any
// size are of one group.
func (own *batch[M]) one() string {
	for i := range own.seats {
		if own.seats[i].at >= 0 {
			return strconv.Quote(foreign.Line(own.seats[i].id, 60))
		}
	}
	return `""`
}
