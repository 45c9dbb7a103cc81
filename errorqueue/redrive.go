package errorqueue

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/backoff"
	"github.com/bunnicula-go/bunnicula/internal/sending"
	"github.com/bunnicula-go/bunnicula/internal/wire"
	"github.com/bunnicula-go/bunnicula/topology"
)

// RedriveOptions are those of [Queue.Redrive]. Filter or All must be set.
type RedriveOptions struct {
	// Filter chooses messages.
	Filter Filter

	// All redrives every message, if there is no Filter.
	All bool

	// To is the queue that they go to.
	//
	// Defaults to the queue that each came from: see Message.Target.
	To string

	// Limit ends it after so many messages, those at the queue's head.
	//
	// Defaults to no limit.
	Limit int

	// Rate is how many messages are moved in a second, at most. From 0.01.
	//
	// Defaults to 0, as fast as it goes.
	Rate float64

	// Batches are sizes, such as 1, 10, 100, 1000: so many are moved, then it waits for Watch and counts how many of them are parked
	// again. If they are too many it stops with ErrFailedAgain. The last size is repeated until all are moved; nothing is watched
	// after the last batch of all.
	//
	// Defaults to none: all are moved, and nothing is watched.
	Batches []int

	// Watch is how long to wait after a batch. A message that fails is parked when its retries are used up, so this is to be longer than all
	// delays of the consumer's Backoff together. It stops earlier when it is seen that too many have failed.
	//
	// Defaults to a tenth more than the slowest of the chosen messages took from its first failure until it was parked, and 10 s; at least
	// DefaultWatch, at most MaxWatch. With To it is DefaultWatch.
	Watch time.Duration

	// Tolerate is which part of a batch may fail again, from 0 to 1.
	//
	// Defaults to 0: one that fails again stops it.
	Tolerate float64

	// DryRun only says what would be done: RedriveReport.Matched and Targets.
	DryRun bool

	// Window is how many messages may be published and not acked yet: as many may be in both queues if the
	// process dies. From 1 to 1000.
	//
	// Defaults to 100.
	Window int

	// ID marks the messages (bunnicula-redrive-id). A message that has it already is left alone, so that one that failed again
	// is not redriven twice; a redrive that was cut off can be gone on with under its ID. At most 255 bytes.
	//
	// Defaults to a new UUIDv7.
	ID string

	// Progress is told how far it is: see [Progress].
	Progress func(Progress)
}

// Defaults of RedriveOptions.
const (
	DefaultRedriveWindow = 100
	DefaultWatch         = time.Minute
	MaxWatch             = time.Hour // unless another is asked for
)

const minRate = 0.01 // a second; or a pass would hold messages for too long

// RedriveReport is what a redrive has done, also when it ends with an error.
type RedriveReport struct {
	ID         string        `json:"id"` // on each message that was moved
	DryRun     bool          `json:"dry_run"`
	Matched    int           `json:"matched"`     // chosen by the filter, up to the limit, as far as it came
	Moved      int           `json:"moved"`       // published, confirmed, and no longer parked
	MaybeTwice int           `json:"maybe_twice"` // of those, may still be parked too, because the connection was lost
	Failed     int           `json:"failed"`      // could not be published, and are parked still
	Failures   []Failure     `json:"failures"`    // the first 100 of them
	Illegible  int           `json:"illegible"`   // chosen, not among Matched, and left where they are: see Message.Illegible
	Targets    []Target      `json:"targets"`     // where they go, as was seen before anything was moved; with To, and no DryRun, only the name is known
	Batches    []Batch       `json:"batches"`
	Watch      time.Duration `json:"watch"`  // how long there was to fail again after each, nanoseconds; 0 without Batches
	Rounds     int           `json:"rounds"` // passes over the queue that moved messages
	Took       time.Duration `json:"took"`   // nanoseconds
}

// Batch is one batch of a redrive.
type Batch struct {
	Moved       int  `json:"moved"`
	FailedAgain int  `json:"failed_again"`
	Watched     bool `json:"watched"` // whether FailedAgain is known
}

// Redrive moves messages from the error queue back to where they came from, to be handled as if they were new: attempts begin anew, and
// the headers of the failure go; its history, and what the message was at first, stay. A message is
// published, mandatory, and confirmed before it is taken out of the error queue. So none is lost, whenever the process,
// the connection or the broker dies, and at most a Window of them is in both queues then.
//
// Messages that are parked while it runs are left alone, but for some where the connection was lost twice. One that cannot be published stays where it is, and is a
// Failure. Before anything is moved it is checked that every target exists; *MissingTargetError if one does not. When ctx ends, what is
// on its way is finished, for 3 s at most, and the rest stays; the error is the context's then.
//
// The report is good with an error too. Beside those of [Queue.List] there are ErrNoFilter, ErrFailedAgain, ErrNotMoved, ErrGone. It may take hours:
// it goes over the queue in rounds, and goes on when the connection is lost. A broker that is killed may forget the last acks, many of them in a
// classic queue: what was moved is parked again then, and moved twice.
func (q *Queue) Redrive(ctx context.Context, o RedriveOptions) (RedriveReport, error) {
	began := time.Now()
	o, filter, err := o.resolve(q, began)
	if err != nil {
		return RedriveReport{}, q.failed(err)
	}
	sender, err := sending.New(q.conn.Transport(), o.Window, q.log)
	if err != nil {
		return RedriveReport{}, q.failed(err)
	}
	defer stop(sender)
	r := &redrive{
		options: o,
		rounds: rounds{
			queue: q, filter: filter, left: -1, report: reporter{to: o.Progress},
			skip:   func(m *Message) bool { return m.RedriveID == o.ID },
			copies: true,
			mover:  &mover{sender: sender, window: o.Window, rate: o.Rate},
		},
		report: RedriveReport{ID: o.ID, DryRun: o.DryRun},
	}
	err = r.do(ctx)
	m := r.mover
	if gone := r.report.Matched - m.ended(); err == nil && !o.DryRun && o.Limit == 0 && gone > 0 {
		err = fmt.Errorf("%d of %d: %w", gone, r.report.Matched, ErrGone)
	}
	r.report.Moved, r.report.MaybeTwice, r.report.Failed, r.report.Failures, r.report.Rounds = m.moved, m.twice, m.failed, m.failures, r.count
	r.report.Matched, r.report.Illegible = max(r.report.Matched, m.moved+m.failed), r.illegible
	r.report.Failures, r.report.Targets, r.report.Batches = orEmpty(r.report.Failures), orEmpty(r.report.Targets), orEmpty(r.report.Batches)
	r.report.Took = time.Since(began)
	r.rounds.report.end()
	if err != nil {
		return r.report, q.failed(fmt.Errorf("redrive: %w", err))
	}
	return r.report, nil
}

func (o RedriveOptions) resolve(q *Queue, now time.Time) (RedriveOptions, *compiled, error) {
	o.Window = cmp.Or(o.Window, DefaultRedriveWindow)
	if o.ID == "" {
		o.ID = sending.NewID()
	}
	filter, err := o.Filter.compile(now)
	switch {
	case err != nil:
		return o, nil, err
	case o.Filter.IsZero() && !o.All:
		return o, nil, ErrNoFilter
	case o.To == q.name:
		return o, nil, &FieldError{"To", o.To, "another queue than the error queue"}
	case len(o.To) > wire.MaxName:
		return o, nil, &FieldError{"To", o.To[:40] + "...", "at most 255 bytes"}
	case o.Limit < 0:
		return o, nil, &FieldError{"Limit", itoa(o.Limit), "0 or above"}
	case o.Rate != 0 && !(o.Rate >= minRate): // NaN
		return o, nil, &FieldError{"Rate", fmt.Sprint(o.Rate), fmt.Sprintf("0, or %v and above", minRate)}
	case o.Watch < 0:
		return o, nil, &FieldError{"Watch", o.Watch.String(), "above 0"}
	case !(o.Tolerate >= 0 && o.Tolerate <= 1):
		return o, nil, &FieldError{"Tolerate", fmt.Sprint(o.Tolerate), "from 0 to 1"}
	case o.Window < 1 || o.Window > 1000:
		return o, nil, &FieldError{"Window", itoa(o.Window), "1 to 1000"}
	case len(o.ID) > wire.MaxName:
		return o, nil, &FieldError{"ID", o.ID[:40] + "...", "at most 255 bytes"}
	}
	for _, n := range o.Batches {
		if n < 1 {
			return o, nil, &FieldError{"Batches", fmt.Sprint(o.Batches), "sizes above 0"}
		}
	}
	return o, filter, nil
}

// redrive is one call of Redrive.
type redrive struct {
	rounds
	options RedriveOptions
	report  RedriveReport
	homes   []*Queue      // where what fails again is parked
	slowest time.Duration // of what the survey chose, to be parked; 0 without one
}

func (r *redrive) do(ctx context.Context) error {
	o := r.options
	session, err := r.queue.conn.Transport().Publishing().Session(ctx)
	if err != nil {
		return err
	}
	s := stamp{id: o.ID, at: time.Now()}
	r.mover.envelope = func(d *held) sending.Envelope {
		return afresh(d, cmp.Or(o.To, d.message.Target), session.User(), s)
	}
	done, err := r.survey(ctx)
	if done || err != nil {
		return err
	}
	if len(o.Batches) > 0 {
		return r.batches(ctx)
	}
	return r.run(ctx, r.most())
}

// most is how many messages are to be moved yet, negative for all.
func (r *redrive) most() int {
	if r.options.Limit == 0 {
		return -1
	}
	return max(0, r.options.Limit-r.mover.ended())
}

// quickly is how long what a survey holds may take to be moved.
const quickly = 5 * time.Minute

// survey sees where messages are to go, and checks that. If they are few it moves them too: it has read the
// whole queue for them.
func (r *redrive) survey(ctx context.Context) (done bool, err error) {
	o := r.options
	if o.To != "" && !o.DryRun {
		r.report.Targets = []Target{{Queue: o.To, Source: FromCaller}}
		return false, r.queue.check(ctx, r.report.Targets)
	}
	p, err := r.queue.begin(ctx, -1)
	if err != nil {
		return false, err
	}
	defer p.end(ctx)
	seen, err := r.look(ctx, p, o.To, r.most())
	r.report.Matched, r.report.Targets = seen.matched, seen.sorted()
	r.slowest = seen.slowest
	if err != nil {
		return false, err
	}
	if err := r.queue.check(ctx, r.report.Targets); err != nil {
		return false, err
	}
	if o.DryRun || seen.matched == 0 {
		return true, nil
	}
	if !seen.all || len(o.Batches) > 0 || o.Rate > 0 && float64(seen.matched)/o.Rate > min(quickly, r.queue.cfg.HoldFor/2).Seconds() {
		return false, nil
	}
	r.count = 1
	r.rounds.report.now.Round = 1
	for rest := seen.kept; len(rest) > 0; {
		n := min(len(rest), r.mover.burst())
		err := r.mover.move(ctx, p, rest[:n])
		r.tell()
		if err != nil && ctx.Err() == nil && isOver(p.session, err) {
			r.queue.log.Warn("connection lost, going on in rounds", "moved", r.mover.moved, "err", err)
			r.mover.lose()
			if r.lost = time.Now(); p.of >= 0 {
				r.left = p.of - p.acked
			}
			return false, nil
		}
		if err != nil {
			return false, err
		}
		rest = rest[n:]
	}
	return true, nil
}

// batches moves a batch, waits, and looks how many of it have failed again.
func (r *redrive) batches(ctx context.Context) error {
	r.options.Watch = cmp.Or(r.options.Watch, watchFor(r.slowest))
	o := r.options
	if err := r.findHomes(ctx); err != nil {
		return err
	}
	r.report.Watch = o.Watch
	again := 0 // of all batches
	for i := 0; ; i++ {
		size := o.Batches[min(i, len(o.Batches)-1)]
		if most := r.most(); most >= 0 {
			size = min(size, most)
		}
		before := r.mover.moved
		depth, err := r.depth(ctx)
		if err != nil {
			return err
		}
		err = r.run(ctx, size)
		b := Batch{Moved: r.mover.moved - before}
		if err != nil || r.exhausted || r.most() == 0 || b.Moved == 0 {
			if b.Moved > 0 {
				r.report.Batches = append(r.report.Batches, b)
			} else if err == nil && !r.exhausted {
				err = fmt.Errorf("batch %d: %w", i+1, ErrNotMoved)
			}
			return err
		}
		total, err := r.watch(ctx, depth-b.Moved, again, int(o.Tolerate*float64(b.Moved)))
		b.FailedAgain, b.Watched = total-again, err == nil
		again = total
		r.report.Batches = append(r.report.Batches, b)
		if err != nil {
			return err
		}
		if float64(b.FailedAgain) > o.Tolerate*float64(b.Moved) {
			return fmt.Errorf("batch %d: %d of %d: %w", i+1, b.FailedAgain, b.Moved, ErrFailedAgain)
		}
	}
}

// watch waits until the time is up or too many have come back, and returns how many messages of this redrive are parked again. The
// depth is that of the error queue without the batch, negative if it is not known.
func (r *redrive) watch(ctx context.Context, depth, before, tolerated int) (total int, err error) {
	const look = time.Second
	defer func() { r.rounds.report.now.Watch = 0 }()
	var seen time.Time
	for end := time.Now().Add(r.options.Watch); time.Now().Before(end); {
		r.rounds.report.now.Watch = time.Until(end).Round(look)
		r.tell()
		if !backoff.Wait(ctx, min(look, time.Until(end))) {
			return before, context.Cause(ctx)
		}
		n, err := r.depth(ctx)
		if err != nil {
			return before, err
		}
		if n < 0 || depth < 0 || n-depth <= tolerated || time.Since(seen) < r.options.Watch/5 {
			continue
		}
		if total, err = r.parkedAgain(ctx); err != nil || total-before > tolerated { // else others have come
			return total, err
		}
		seen = time.Now()
	}
	return r.parkedAgain(ctx)
}

// watchFor is how long to wait after a batch of messages, of which the slowest took so long to be parked.
func watchFor(slowest time.Duration) time.Duration {
	return min(max(slowest+slowest/10+10*time.Second, DefaultWatch), MaxWatch)
}

// depth is how many messages are in the error queue, -1 if we may not ask or the connection has just been lost.
func (r *redrive) depth(ctx context.Context) (int, error) {
	session, err := r.queue.link.Session(ctx)
	if err != nil {
		return -1, err
	}
	total := 0
	for _, home := range r.homes {
		n, err := count(ctx, session, home.name)
		if err != nil && !errors.Is(err, errNotAllowed) && session.Err() == nil {
			return -1, err
		}
		if n < 0 {
			return -1, nil
		}
		total += n
	}
	return total, nil
}

// parkedAgain counts the messages of this redrive in the error queue. A lost connection begins it anew, a few times.
func (r *redrive) parkedAgain(ctx context.Context) (n int, err error) {
	for range lossesInARow {
		n, err = 0, nil
		for _, home := range r.homes {
			if err == nil {
				err = home.each(ctx, ListOptions{}, func(d *held) bool {
					if r.skip(&d.message) {
						n++
					}
					return true
				})
			}
		}
		if err == nil || ctx.Err() != nil || !isLoss(err) && !errors.Is(err, ErrBusy) {
			break
		}
	}
	return n, err
}

// findHomes finds the queues where the targets' consumers park what fails again: this one, unless it is an archive or To names another
// queue.
func (r *redrive) findHomes(ctx context.Context) error {
	q := r.queue
	r.homes = []*Queue{q}
	session, err := q.link.Session(ctx)
	if err != nil {
		return err
	}
	archive := q.name == ArchiveQueue(q.main)
	for _, t := range r.report.Targets {
		name := topology.ErrorQueue(t.Queue)
		if name == q.name || t.Queue == q.main && !archive {
			continue
		}
		switch _, err := count(ctx, session, name); {
		case errors.Is(err, errNotFound) && archive: // it has another name, which nobody has told
			return &FieldError{"Batches", fmt.Sprint(r.options.Batches), fmt.Sprintf("none: what fails again is not seen, as there is no queue %q", name)}
		case errors.Is(err, errNotFound): // it is parked here too
		case err != nil && !errors.Is(err, errNotAllowed):
			return err
		default:
			home := newQueue(Config{Queue: t.Queue, ErrorQueue: name, Window: q.cfg.Window, HoldFor: q.cfg.HoldFor, MaxDeliveries: q.cfg.MaxDeliveries, Wait: q.cfg.Wait})
			home.conn, home.link, home.log = q.conn, q.link, q.log
			home.limit = home.limitOf(ctx, session)
			r.homes = append(r.homes, home)
		}
	}
	return nil
}
