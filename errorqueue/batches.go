package errorqueue

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/backoff"
	"github.com/bunnicula-go/bunnicula/topology"
)

// batches lets rounds move one batch, waits, and counts how many messages of it have failed again,
// before the next batch. One goroutine uses it.
type batches struct {
	// Immutable.
	queue    *Queue
	options  RedriveOptions
	rounds   *rounds
	progress *reporter
	each     time.Duration // how long each batch is watched
	homes    []*Queue      // where the consumers of the targets park failures
	began    time.Time     // which each message of this call has as its RedrivenAt, in whole seconds

	// Written by run and batch.
	done   []Batch
	again  int // messages of all batches that are parked again
	listed relapses
}

const (
	minWatch = time.Minute
	maxWatch = time.Hour // unless the caller asks for more
)

// watchFor returns how long to watch a batch. slowest is the longest time that a message of the
// batch took to be parked. A stranger may have written the times, so it can be centuries.
func watchFor(slowest time.Duration) time.Duration {
	slowest = min(slowest, maxWatch)
	return min(max(slowest+slowest/10+10*time.Second, minWatch), maxWatch)
}

func (r *batches) run(ctx context.Context) error {
	for i := 1; ; i++ {
		b, more, err := r.batch(ctx, i)
		if b.Moved > 0 {
			r.done = append(r.done, b)
		}
		if err != nil || !more {
			return err
		}
	}
}

// batch moves the batch with this number, from 1, and watches it, unless it was the last one.
func (r *batches) batch(ctx context.Context, number int) (b Batch, more bool, err error) {
	size := r.options.Batches[min(number, len(r.options.Batches))-1]
	if most := r.rounds.most(r.options.Limit); most >= 0 {
		size = min(size, most)
	}
	before := r.rounds.mover.tally.moved
	r.progress.beginBatch(number, before)
	depth, err := r.depth(ctx)
	if err != nil {
		return b, false, err
	}
	err = r.rounds.run(ctx, size)
	b.Moved = r.rounds.mover.tally.moved - before
	r.progress.movedBatch(before + b.Moved)
	switch {
	case err != nil:
		return b, false, err
	case r.rounds.exhausted, r.rounds.most(r.options.Limit) == 0 && b.Moved > 0:
		return b, false, nil
	case b.Moved == 0:
		return b, false, fmt.Errorf("batch %d: %w", number, ErrNotMoved)
	}
	tolerated := r.options.Tolerate * float64(b.Moved)
	total, err := r.watch(ctx, depth-b.Moved, int(tolerated))
	r.progress.failed(total - r.again)
	b.FailedAgain, b.Watched = total-r.again, err == nil
	r.again, b.Again = total, r.listed.take()
	if err == nil && float64(b.FailedAgain) > tolerated {
		err = fmt.Errorf("batch %d: %d of %d: %w", number, b.FailedAgain, b.Moved, ErrFailedAgain)
	}
	return b, true, err
}

// watch waits until the time is up or too many messages have come back, and returns how many
// messages of this redrive are parked again. depth is how many messages the error queues had
// without the batch; it is negative if that is unknown.
func (r *batches) watch(ctx context.Context, depth, tolerated int) (total int, err error) {
	const look = time.Second
	r.progress.enter(PhaseWatching)
	defer r.progress.watch(0)
	var seen time.Time
	for end := time.Now().Add(r.each); time.Now().Before(end); {
		r.progress.watch(time.Until(end).Round(look))
		if !backoff.Wait(ctx, min(look, time.Until(end))) {
			return r.again, context.Cause(ctx)
		}
		n, err := r.depth(ctx)
		if err != nil {
			return r.again, err
		}
		if n < 0 || depth < 0 || n-depth <= tolerated || time.Since(seen) < r.each/5 {
			continue
		}
		if total, err = r.parkedAgain(ctx); err != nil || total-r.again > tolerated {
			return total, err
		}
		r.progress.failed(total - r.again)
		seen = time.Now() // the new messages do not belong to this redrive
	}
	return r.parkedAgain(ctx)
}

// depth returns how many messages are in the homes. It is -1 if the user may not ask, or if the
// connection has just been lost.
func (r *batches) depth(ctx context.Context) (int, error) {
	s, err := r.queue.link.Session(ctx)
	if err != nil {
		return -1, err
	}
	total := 0
	for _, home := range r.homes {
		n, err := count(ctx, s, home.name)
		if err != nil && !errors.Is(err, errNotAllowed) && s.Err() == nil {
			return -1, err
		}
		if n < 0 {
			return -1, nil
		}
		total += n
	}
	return total, nil
}

// parkedAgain counts the messages of this redrive that are in the homes. After a lost connection it
// starts again, a few times.
func (r *batches) parkedAgain(ctx context.Context) (n int, err error) {
	for range lossesInARow {
		n, err = 0, nil
		r.listed.look()
		for _, home := range r.homes {
			if err == nil {
				err = home.each(ctx, ListOptions{}, func(d *held) bool {
					if home == r.queue {
						r.rounds.follower.read(&d.message)
					}
					if r.isAgain(&d.message) {
						n++
						r.listed.add(d)
					}
					return true
				})
				if err == nil && home == r.queue {
					r.rounds.follower.whole()
				}
			}
		}
		if err == nil || ctx.Err() != nil || !isLoss(err) && !errors.Is(err, ErrBusy) {
			break
		}
	}
	return n, err
}

// isAgain says whether a message that is parked was moved by this call. An earlier call with the
// same id may have left others, which failed again then.
func (r *batches) isAgain(m *Message) bool {
	earlier := !m.RedrivenAt.IsZero() && m.RedrivenAt.Before(r.began.Truncate(time.Second))
	return r.rounds.choice.redrivenBefore(m) && !earlier
}

// homesOf finds the queues in which the targets' consumers park failures. There is one only, the
// queue that is read, unless that is an archive or To names another queue.
func (q *Queue) homesOf(ctx context.Context, targets []Target, sizes []int) ([]*Queue, error) {
	homes := []*Queue{q}
	s, err := q.link.Session(ctx)
	if err != nil {
		return nil, err
	}
	archive := q.name == archiveQueue(q.main)
	for _, t := range targets {
		name := topology.ErrorQueue(t.Queue)
		if name == q.name || t.Queue == q.main && !archive {
			continue
		}
		switch _, err := count(ctx, s, name); {
		case errors.Is(err, errNotFound) && archive: // the error queue has another name
			return nil, &FieldError{"Batches", fmt.Sprint(sizes), fmt.Sprintf("none: what fails again is not seen, as there is no queue %q", name)}
		case errors.Is(err, errNotFound): // the target parks in the queue that is read
		case err != nil && !errors.Is(err, errNotAllowed):
			return nil, err
		default:
			homes = append(homes, q.beside(t.Queue, name))
		}
	}
	return homes, nil
}
