package operation

import (
	"time"

	"github.com/bunnicula-go/bunnicula/errorqueue"
)

// line is one line of the journal. One of the pointers is set.
type line struct {
	ID       string    `json:"id"`
	At       time.Time `json:"at"`
	Intent   *Intent   `json:"intent,omitempty"`
	Progress *soFar    `json:"progress,omitempty"`
	End      *end      `json:"end,omitempty"`
}

// soFar is how far an operation has come.
type soFar struct {
	errorqueue.Progress
	Copying bool    `json:"copying,omitempty"`
	Copied  int     `json:"copied,omitempty"`
	Batches []Batch `json:"batches,omitempty"`
}

// end is how an operation has ended.
type end struct {
	Status      Status  `json:"status"`
	Err         string  `json:"error,omitempty"`
	Closed      bool    `json:"closed,omitempty"`
	FailedAgain bool    `json:"failed_again,omitempty"`
	Report      Report  `json:"report"`
	Batches     []Batch `json:"batches,omitempty"`
}

const fewBatches = 20 // in a line of each second

// lines returns the lines that tell of an operation that is over, without those that later ones
// have replaced.
func (s *State) lines() []line {
	i := s.Intent
	all := []line{{ID: s.ID, At: s.At, Intent: &i}, s.progressLine(s.Ended)}
	if s.Status == Interrupted {
		return all
	}
	return append(all, s.endLine())
}

func (s *State) progressLine(at time.Time) line {
	now := &soFar{Progress: s.Progress, Copying: s.Copying, Copied: s.Report.Copied}
	for _, b := range lastBatches(s.Batches, fewBatches) {
		b.Again = nil // which the end has, and a filter with the RedriveID finds
		now.Batches = append(now.Batches, b)
	}
	return line{ID: s.ID, At: at, Progress: now}
}

func (s *State) endLine() line {
	return line{ID: s.ID, At: s.Ended, End: &end{
		Status: s.Status, Err: s.Err, Closed: s.Closed, FailedAgain: s.FailedAgain, Report: s.Report, Batches: s.Batches,
	}}
}
