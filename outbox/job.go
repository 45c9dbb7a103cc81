package outbox

import (
	"context"
	"errors"
	"fmt"

	"github.com/bunnicula-go/bunnicula/internal/foreign"
)

// JobStatus counts the rows of a job by what became of them so far.
type JobStatus struct {
	Name string

	Waiting int // not published yet
	Held    int // need a row that is not done
	Sent    int // published, and not handled yet as far as the database tells
	Done    int // handled
	Parked  int // in an error queue, as Box.Monitor was told
	Failed  int // the relay gave up
}

// Rows returns how many rows the job has.
func (s JobStatus) Rows() int {
	return s.Waiting + s.Held + s.Sent + s.Done + s.Parked + s.Failed
}

// Complete returns whether all rows are done.
func (s JobStatus) Complete() bool { return s.Done > 0 && s.Done == s.Rows() }

const countJob = `SELECT state, count(*) FROM bunnicula_outbox WHERE job = $1 GROUP BY state`

// Job counts the rows of a job. A job is complete when the message of each of its rows was handled
// by Once. Rows that are not committed yet do not count. Those of a job that has been complete for
// Config.Keep are deleted. The error is ErrUnknown if the job has no rows.
func (b *Box) Job(ctx context.Context, name string) (JobStatus, error) {
	s := JobStatus{Name: name}
	switch err := checkText("name", name); {
	case errors.Is(err, ErrUnknown):
		return s, &unknownJobError{name, "no row can have a name with a NUL byte, or one that is not UTF-8"}
	case err != nil:
		return s, jobFailed(name, err)
	}
	err := b.byState(ctx, countJob, []any{name}, func(state State, n int) {
		if of := s.of(state); of != nil {
			*of += n
		}
	})
	if err != nil {
		return s, jobFailed(name, fmt.Errorf("count its rows: %w", explain(err)))
	}
	if s.Rows() == 0 {
		return s, &unknownJobError{name, "none was put, or all were deleted since"}
	}
	return s, nil
}

func jobFailed(name string, err error) error {
	return fmt.Errorf("outbox: job %q: %w", foreign.Cut(name, 60), err)
}

// unknownJobError is ErrUnknown in words for a job: those of ErrUnknown are about a message.
type unknownJobError struct{ name, why string }

func (e *unknownJobError) Error() string {
	return fmt.Sprintf("outbox: job %q has no rows: %s", foreign.Cut(e.name, 60), e.why)
}

func (e *unknownJobError) Is(target error) bool { return target == ErrUnknown }

func (s *JobStatus) of(state State) *int {
	switch state {
	case Waiting, taken:
		return &s.Waiting
	case Held:
		return &s.Held
	case Sent:
		return &s.Sent
	case Done:
		return &s.Done
	case Parked:
		return &s.Parked
	case Failed:
		return &s.Failed
	}
	return nil
}
