package operation

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"

	"github.com/bunnicula-go/bunnicula/errorqueue"
)

// history is what the lines of a journal say.
type history struct {
	states []*State // in the order of their intents
	lines  int
	wrong  int // lines that mean nothing
}

// fold reads a journal. A process that was killed, or a disk that was full, may have left a part of
// the last line. An operation without an end is Interrupted.
func fold(r io.Reader) (history, error) {
	var h history
	by := map[string]*State{}
	in := bufio.NewReader(r)
	for {
		text, err := in.ReadBytes('\n')
		if errors.Is(err, io.EOF) { // what is in text is a part of a line
			return h, nil
		}
		if err != nil {
			return h, err
		}
		h.lines++
		var l line
		if json.Unmarshal(bytes.TrimSpace(text), &l) != nil || !h.take(by, l) {
			h.wrong++
		}
	}
}

// take takes one line. It says no to one that means nothing.
func (h *history) take(by map[string]*State, l line) bool {
	s := by[l.ID]
	switch {
	case s == nil && l.Intent != nil && l.Intent.ID == l.ID:
		s = &State{Intent: *l.Intent, Status: Interrupted, Progress: errorqueue.Progress{Of: -1}, Began: l.At, Ended: l.At}
		by[l.ID] = s
		h.states = append(h.states, s)
	case s == nil:
		return false
	case l.Progress != nil:
		s.Progress, s.Copying, s.Batches, s.Ended = l.Progress.Progress, l.Progress.Copying, l.Progress.Batches, l.At
		s.Report = s.soFar()
		s.Report.Copied = l.Progress.Copied
	case l.End != nil:
		s.Status, s.Err, s.Closed, s.FailedAgain = l.End.Status, l.End.Err, l.End.Closed, l.End.FailedAgain
		s.Report, s.Batches, s.Ended, s.Copying = l.End.Report, l.End.Batches, l.At, false
	default:
		return false
	}
	return true
}

// soFar returns what the Progress says of what was done.
func (s *State) soFar() Report {
	r := s.Report
	if !s.Copying {
		r.Matched, r.Moved, r.Failed = s.Progress.Matched, s.Progress.Moved, s.Progress.Failed
		if s.Kind == Export {
			r.Moved = s.Progress.Matched
		}
	}
	return r
}
