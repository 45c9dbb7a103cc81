package operation

import "github.com/bunnicula-go/bunnicula/errorqueue"

// Batch is one batch of a redrive.
type Batch struct {
	Number      int     `json:"number"` // from 1
	Moved       int     `json:"moved"`
	FailedAgain int     `json:"failed_again"`
	Watched     bool    `json:"watched"` // whether FailedAgain is known
	Again       []Again `json:"again,omitempty"`
}

// Again is a message of a batch that failed again. Only Mark and Same are known after a restart.
type Again struct {
	Mark     string  `json:"mark"`
	ID       string  `json:"-"`
	Earlier  Failure `json:"-"` // before it was redriven; zero if Same is Unknown
	Now      Failure `json:"-"`
	Same     Same    `json:"same"`
	Position int     `json:"-"` // in the queue, when it was seen
}

// mostBatches is how many batches are known of an operation, the last ones.
const mostBatches = 1000

// batch keeps the list of batches while a redrive runs.
func (s *State) batch(p errorqueue.Progress) {
	if p.Batch == 0 {
		return
	}
	n := len(s.Batches)
	if n == 0 || s.Batches[n-1].Number != p.Batch {
		if n > 0 {
			s.Batches[n-1].Watched = true
		}
		s.before = p.Moved
		s.Batches = lastBatches(append(s.Batches, Batch{Number: p.Batch}), mostBatches)
		n = len(s.Batches)
	}
	b := &s.Batches[n-1]
	b.Moved, b.FailedAgain = p.Moved-s.before, max(b.FailedAgain, p.FailedAgain)
}

// lastBatches returns the last ones.
func lastBatches(all []Batch, most int) []Batch { return all[max(0, len(all)-most):] }

// batches returns what the report of a redrive says of its batches.
func (n *notes) batches(all []errorqueue.Batch) []Batch {
	var batches []Batch
	listed := 0
	for i, b := range all {
		one := Batch{Number: i + 1, Moved: b.Moved, FailedAgain: b.FailedAgain, Watched: b.Watched}
		for k := range b.Again {
			if listed++; listed <= mostAgain {
				one.Again = append(one.Again, n.compare(&b.Again[k]))
			}
		}
		batches = append(batches, one)
	}
	return lastBatches(batches, mostBatches)
}
