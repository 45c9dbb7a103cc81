package operation

import (
	"time"

	"github.com/bunnicula-go/bunnicula/errorqueue"
)

// notes say how messages had failed before they were redriven, and which of them failed again. One
// goroutine uses them, that of the operation.
type notes struct {
	redrive string // its ID, "" if nothing is watched; immutable
	chooses *errorqueue.Matcher

	// Written by add.
	earlier map[mark]noted
	kinds   map[string]*Failure // the first of each group, for all when there is no room
	bytes   int
	again   map[mark]bool // that were seen again
	began   bool          // the first batch has begun: what was seen before is of an earlier operation
}

// noted is why and when a message had failed.
type noted struct {
	failure *Failure // without its At; shared by messages that have failed alike
	at      time.Time
}

const (
	noteBytes = 32 << 20 // of the texts of failures
	mostAgain = 1000     // that are listed
)

func newNotes(i Intent) *notes {
	n := &notes{earlier: map[mark]noted{}, kinds: map[string]*Failure{}, again: map[mark]bool{}}
	if i.Kind == Redrive && len(i.Batches) > 0 {
		n.redrive = i.RedriveID
		n.chooses, _ = i.filter(nil).At(i.Now) // resolve has checked it
	}
	return n
}

// add notes a message that a reading has come to. It says whether the message was redriven by this
// operation and has failed again, which no reading has seen before.
func (n *notes) add(m *errorqueue.Message) (again Again, is bool) {
	k, ok := packed(m.Mark)
	if n.redrive == "" || !ok {
		return again, false
	}
	if m.RedriveID != n.redrive {
		if _, there := n.earlier[k]; !there && n.chooses.Matches(m) {
			n.earlier[k] = noted{n.keep(m), m.FailedAt}
		}
		return again, false
	}
	if n.again[k] || len(n.again) >= mostAgain {
		return again, false
	}
	n.again[k] = true
	return n.compare(m), n.began
}

// keep returns the failure of a message. Beyond noteBytes it is that of another one of its kind.
func (n *notes) keep(m *errorqueue.Message) *Failure {
	f := failureOf(m)
	f.At = time.Time{}
	if kind := n.kinds[f.Group]; kind != nil && (n.bytes >= noteBytes || *kind == f) {
		return kind
	}
	n.bytes += len(f.Group) + len(f.Reason) + len(f.Type) + len(f.Error) + len(f.Version)
	if n.kinds[f.Group] == nil {
		n.kinds[f.Group] = &f
	}
	return &f
}

func failureOf(m *errorqueue.Message) Failure {
	return Failure{Group: m.Group, Reason: m.Reason, Type: m.Type, Error: m.Error, Version: m.AppVersion, At: m.FailedAt}
}

// compare says how a message has failed again.
func (n *notes) compare(m *errorqueue.Message) Again {
	a := Again{Mark: m.Mark, ID: m.ID, Position: m.Position, Now: failureOf(m), Same: Unknown}
	k, _ := packed(m.Mark)
	if earlier, there := n.earlier[k]; there {
		a.Earlier, a.Same = *earlier.failure, No
		a.Earlier.At = earlier.at
		if same(a.Earlier, a.Now) {
			a.Same = Yes
		}
	}
	return a
}

// same says whether two failures are of one kind. The group has the error's kind; without one the
// texts are compared.
func same(a, b Failure) bool {
	if a.Group != "" || b.Group != "" {
		return a.Group == b.Group && a.Reason == b.Reason
	}
	return a.Reason == b.Reason && a.Type == b.Type && a.Error == b.Error
}
