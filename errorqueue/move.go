package errorqueue

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/internal/applog"
	"github.com/bunnicula-go/bunnicula/topology"
)

// MoveOptions are the options of [Move]. From and To must be set.
type MoveOptions struct {
	// From is the topology of the old consumer. Queues of it that do not exist are passed over.
	From topology.Topology

	// To is the topology of the new consumer. Its queues must exist.
	To topology.Topology

	// LeaveRetries leaves the messages in the old retry queues. Each comes back into the old main
	// queue when its time is over, and is moved from there by a later Move, or with Wait.
	//
	// Defaults to false: they go on waiting in the new retry queues.
	LeaveRetries bool

	// Wait is how long Move goes on until the old queues are empty: what comes into them is moved
	// too.
	//
	// Defaults to 0: each queue is read once.
	Wait time.Duration

	// Limit ends the move after so many messages. Rate is how many are moved in a second, at most.
	// Both are as in RedriveOptions.
	Limit int
	Rate  float64

	// DryRun only counts: MovedQueue.Waiting. No message is taken.
	DryRun bool

	// Window is how many messages may be published and not acked yet. That many may be in both
	// queues if the process dies. From 1 to 1000.
	//
	// Defaults to 100.
	Window int

	// Progress receives the progress of the call: see [Progress].
	Progress func(Progress)
}

// MovedQueue says what a move has done with one of the old queues.
type MovedQueue struct {
	Queue string        `json:"queue"`
	Role  topology.Role `json:"role"`
	// The queue to which messages go. Those of a retry queue may go to others of the new consumer.
	To      string `json:"to"`
	Missing bool   `json:"missing"` // the old queue does not exist
	Waiting int    `json:"waiting"` // ready messages at the beginning, -1 if unknown
	Moved   int    `json:"moved"`   // published, confirmed, and no longer here
	Left    int    `json:"left"`    // ready messages at the end, -1 if unknown

	// Shared says that other consumers may park messages here too. Only those of the old consumer
	// are moved, so what is left may be others'.
	Shared bool `json:"shared"`

	// Problem is why messages of the queue stay, "" if none has to.
	Problem string `json:"problem,omitempty"`
}

// MoveReport says what a move has done, also if it ends with an error.
type MoveReport struct {
	From      string       `json:"from"`
	To        string       `json:"to"`
	DryRun    bool         `json:"dry_run"`
	Queues    []MovedQueue `json:"queues"`
	Consumers int          `json:"consumers"` // of the old main queue, -1 if unknown
	Waiting   int          `json:"waiting"`   // of all queues that are not shared
	Moved     int          `json:"moved"`
	// Of those, may be there twice, because a connection was lost: in both queues, or twice in the new
	// one, since a broker that is killed forgets its last acks.
	MaybeTwice int       `json:"maybe_twice"`
	Failed     int       `json:"failed"`   // could not be published, and stay
	Failures   []Failure `json:"failures"` // the first 100 of them
	// Cannot be copied, and stay: see Message.Illegible.
	Illegible int           `json:"illegible"`
	Left      int           `json:"left"` // in all queues that are not shared
	Took      time.Duration `json:"took"` // nanoseconds
}

// Move moves what waits in the queues of one consumer to those of another: from the main queue, the
// retry queues, the quarantine and the error queue. Use it when a queue is to have another name,
// another type or other arguments. A message is published, mandatory, and confirmed before it is
// removed. So no message is lost when the process, the connection or the broker dies, and at most a
// Window of messages is in both queues then.
//
// A moved message goes on where it was: attempts, history, crashes, the time before which it must
// not be handled, and how it was first published stay. Nobody knows how long a message has waited
// in a retry queue. Unless its headers say when it is due, its delay begins anew. So it is never
// early, and late by as long as it had waited. A message that was published with an expiration has
// it anew.
//
// Move takes what is ready. What consumers of the old queue hold comes back when they stop. Publish
// to the new queue, and stop the old consumers, before the last Move.
//
// Move returns ErrNoQueue if no queue of the old consumer exists, and *MissingTargetError if one of
// the new consumer's does not. The other errors are those of [Queue.Redrive].
func Move(ctx context.Context, conn *connection.Connection, o MoveOptions, log *slog.Logger) (MoveReport, error) {
	began := time.Now()
	o.Window = cmp.Or(o.Window, defaultMoveWindow)
	report := MoveReport{From: mainOf(o.From), To: mainOf(o.To), DryRun: o.DryRun, Consumers: -1}
	err := o.check()
	if err == nil && conn == nil {
		err = errors.New("the connection is nil")
	}
	if err != nil {
		return report.complete(nil), fmt.Errorf("errorqueue: move: %w", err)
	}
	m := newMigration(conn, o, applog.First(log))
	defer m.close(ctx)
	err = m.run(ctx)
	report = m.report(report)
	report.Took = time.Since(began)
	if err != nil {
		return report, fmt.Errorf("errorqueue: move %q to %q: %w", report.From, report.To, err)
	}
	return report, nil
}

// check checks the options.
func (o MoveOptions) check() error {
	from, to := mainOf(o.From), mainOf(o.To)
	switch {
	case from == "":
		return &FieldError{"From", "", "a topology of topology.New"}
	case to == "":
		return &FieldError{"To", "", "a topology of topology.New"}
	case o.Wait < 0:
		return &FieldError{"Wait", o.Wait.String(), "0 or above"}
	}
	for _, name := range o.To.Names() {
		for _, q := range o.From.Queues {
			if q.Name == name && (q.Role != topology.RoleError || name == to) {
				return &FieldError{"To", to, fmt.Sprintf("a consumer that does not have the queue %q of the old one", name)}
			}
		}
	}
	return checkMove(o.Limit, o.Rate, o.Window)
}

// complete fills in what follows from the queues.
func (r MoveReport) complete(queues []MovedQueue) MoveReport {
	r.Queues, r.Failures = orEmpty(queues), orEmpty(r.Failures)
	for _, q := range queues {
		if !q.Shared {
			r.Waiting, r.Left = r.Waiting+max(0, q.Waiting), r.Left+max(0, q.Left)
		}
	}
	return r
}
