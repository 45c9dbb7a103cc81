package errorqueue

import (
	"cmp"
	"fmt"
	"time"

	"github.com/bunnicula-go/bunnicula/errorqueue/internal/filter"
	"github.com/bunnicula-go/bunnicula/internal/sending"
)

// RedriveOptions are the options of [Queue.Redrive]. Filter or All must be set.
type RedriveOptions struct {
	// Filter chooses messages.
	Filter Filter

	// All redrives every message, if there is no Filter.
	All bool

	// To is the queue to which messages go.
	//
	// Defaults to the queue from which each came: see Message.Target.
	To string

	// Limit ends the redrive after so many messages, beginning at the queue's head.
	//
	// Defaults to no limit.
	Limit int

	// Rate is how many messages are moved in a second, at most. From 0.01.
	//
	// Defaults to 0, as fast as possible.
	Rate float64

	// Batches are sizes, such as 1, 10, 100, 1000. The redrive moves a batch, waits for Watch, and
	// counts how many messages of the batch are parked again. If they are too many, it stops with
	// ErrFailedAgain. The last size is repeated until all messages are moved. The very last batch
	// is not watched.
	//
	// Defaults to none: all messages are moved, and nothing is watched.
	Batches []int

	// Watch is how long to wait after a batch. A message that fails is parked when its retries are
	// used up, so Watch must be longer than all delays of the consumer's Backoff together. The wait
	// ends earlier when too many messages have failed.
	//
	// Defaults to the longest time that a chosen message took from its first failure until it was
	// parked, plus a tenth and 10 s; at least a minute and at most an hour. With To it is a minute.
	Watch time.Duration

	// Tolerate is the fraction of a batch that may fail again, from 0 to 1.
	//
	// Defaults to 0: one message that fails again stops the redrive.
	Tolerate float64

	// DryRun only says what would be done: RedriveReport.Matched and Targets.
	DryRun bool

	// Window is how many messages may be published and not acked yet. That many may be in both
	// queues if the process dies, and 67 more if the error queue is a quorum queue of a slow
	// broker. From 1 to 1000.
	//
	// Defaults to 100.
	Window int

	// ID marks the messages (header bunnicula-redrive-id). A message that has it already is left
	// alone, so that one that failed again is not redriven twice. An interrupted redrive can be
	// continued with its ID; the batches count only what failed again since. At most 255 bytes.
	//
	// Defaults to a new UUIDv7.
	ID string

	// Now is the moment to which OlderThan and NewerThan of the Filter are compared. With that of a
	// dry run they choose the messages that it has counted, however much later it is.
	//
	// Defaults to the time of the call.
	Now time.Time

	// Within leaves all messages alone but the queue's first ones, so many. With Read of a dry
	// run's report, what was parked since is not touched, even if other messages have gone
	// meanwhile. The queue is read for a plan first, also with To. From then on its messages are
	// recognised by id and body, wherever a lost connection puts them. If there is one that cannot
	// be read, up to a Config.Window of messages in front of it are left alone. An earlier reading
	// may have put a message behind the others, where it is none of the first: see
	// Config.DeliveryLimit.
	//
	// Defaults to 0, the messages that are there when the call begins.
	Within int

	// Observe gets each message of the error queue that any reading of the call comes to, chosen or
	// not, in the order of the queue. A reading begins with Position 1. A reading that ends early
	// does not tell of the messages that it only passes. The message is valid until Observe
	// returns, and must not be changed. Its texts and times may be kept; what keeps Body, Headers,
	// History or Deaths keeps them all in memory. The call's own goroutine calls it while it holds
	// messages, so it should be fast. After a panic, which is logged, it is called no more.
	Observe func(*Message)

	// Observed says that the reading of which Observe has told has come to the last message that the
	// queue had when the reading began. It is not called for a reading that ends earlier, as with
	// Within it may, nor if the user may not ask how many messages there are. It is called as Observe
	// is.
	Observed func()

	// Settled gets the mark of each message that is no longer in the error queue, when the broker
	// has said so. It is not told of a message that a lost connection leaves in doubt, and may be
	// told twice of one that the broker has forgotten to remove. It is called as Observe is.
	Settled func(mark string)

	// Progress receives the progress of the call: see [Progress].
	Progress func(Progress)
}

const minRate = 0.01 // messages a second; a slower round would hold messages too long

// resolve checks the options and fills in the defaults.
func (o RedriveOptions) resolve(q *Queue, now time.Time) (RedriveOptions, *filter.Matcher, error) {
	o.Window = cmp.Or(o.Window, defaultMoveWindow)
	if o.ID == "" {
		o.ID = sending.NewID()
	}
	if o.To == q.name {
		return o, nil, &FieldError{"To", o.To, "another queue than the error queue"}
	}
	if err := checkName("To", o.To); err != nil {
		return o, nil, err
	}
	if err := checkName("ID", o.ID); err != nil {
		return o, nil, err
	}
	switch {
	case o.Watch < 0:
		return o, nil, &FieldError{"Watch", o.Watch.String(), "above 0"}
	case !(o.Tolerate >= 0 && o.Tolerate <= 1): // NaN too
		return o, nil, &FieldError{"Tolerate", fmt.Sprint(o.Tolerate), "from 0 to 1"}
	}
	for _, n := range o.Batches {
		if n < 1 {
			return o, nil, &FieldError{"Batches", fmt.Sprint(o.Batches), "sizes above 0"}
		}
	}
	matcher, err := chosen(o.Filter, o.All, frozen(o.Now, now))
	if err != nil {
		return o, nil, err
	}
	return o, matcher, cmp.Or(checkWithin(o.Within), checkMove(o.Limit, o.Rate, o.Window))
}

// chosen makes the Matcher of a call that moves or deletes messages, at one moment.
func chosen(f Filter, all bool, now time.Time) (*filter.Matcher, error) {
	m, err := f.at(now)
	if err == nil && f.IsZero() && !all {
		err = ErrNoFilter
	}
	return m, err
}

// frozen returns the moment that the caller has set, or else now.
func frozen(moment, now time.Time) time.Time {
	if moment.IsZero() {
		return now
	}
	return moment
}

func checkWithin(n int) error {
	if n < 0 {
		return &FieldError{"Within", itoa(n), "0 or above"}
	}
	return nil
}

// checkMove checks the options that all calls have that move messages.
func checkMove(limit int, rate float64, window int) error {
	switch {
	case limit < 0:
		return &FieldError{"Limit", itoa(limit), "0 or above"}
	case rate != 0 && !(rate >= minRate): // NaN too
		return &FieldError{"Rate", fmt.Sprint(rate), fmt.Sprintf("0, or %v and above", minRate)}
	case window < 1 || window > maxMoveWindow:
		return &FieldError{"Window", itoa(window), fmt.Sprintf("1 to %d", maxMoveWindow)}
	}
	return nil
}

// RedriveReport says what a redrive has done, also if it ends with an error.
type RedriveReport struct {
	ID     string `json:"id"` // on each message that was moved
	DryRun bool   `json:"dry_run"`
	// Looked at for the plan, from the queue's head. It is 0 with To, unless DryRun or Within is
	// set.
	Read int `json:"read"`
	// Chosen, up to the limit, as far as the redrive has read.
	Matched int `json:"matched"`
	Moved   int `json:"moved"` // published, confirmed, and no longer parked
	// Of those, may still be parked, because a connection was lost.
	MaybeTwice int       `json:"maybe_twice"`
	Failed     int       `json:"failed"`   // could not be published, and are still parked
	Failures   []Failure `json:"failures"` // the first 100 of them
	// Chosen, not Matched, still parked: see Message.Illegible.
	Illegible int      `json:"illegible"`
	Targets   []Target `json:"targets"` // without numbers if To is set and DryRun is not
	Batches   []Batch  `json:"batches"`
	// Of each batch, at most, in nanoseconds; 0 without Batches.
	Watch  time.Duration `json:"watch"`
	Rounds int           `json:"rounds"` // passes over the queue that moved messages
	Took   time.Duration `json:"took"`   // nanoseconds
}

// Batch is one batch of a redrive.
type Batch struct {
	Moved       int  `json:"moved"`
	FailedAgain int  `json:"failed_again"`
	Watched     bool `json:"watched"` // whether FailedAgain is known

	// Again has the messages that failed again, without their bodies: the first 1,000, and in all
	// batches of a redrive so many as have 16 MiB of headers. A Filter with the redrive's id among
	// its RedriveIDs chooses all.
	Again []Message `json:"again"`
}
