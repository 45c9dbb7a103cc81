package console

import (
	"strconv"

	"github.com/bunnicula-go/bunnicula/console/internal/operation"
	"github.com/bunnicula-go/bunnicula/console/internal/snapshot"
	"github.com/bunnicula-go/bunnicula/errorqueue"
)

// selectable is the form in which messages are selected. Its buttons lead to a plan, and change
// nothing.
type selectable struct {
	Action   string // the link of the plan
	Filter   string
	Snapshot string
	Left     int // messages that match and are in the queue
	Buttons  []kindButton
	Mark     string // of the one message of the page, "" on a list
}

// kindButton is a button for a kind of operation.
type kindButton struct {
	Kind operation.Kind
	Text string
}

// selectable returns the form for a viewer, nil if there is nothing to select or no right to do
// anything with it.
func (a *answer) selectable(v view, queue string, s *snapshot.Snapshot, filter errorqueue.Filter) *selectable {
	if a.console.cfg.ReadOnly || s == nil || !s.Done() {
		return nil
	}
	left, err := s.Left(filter)
	if err != nil || left == 0 {
		return nil
	}
	d := &selectable{
		Action: v.Link("q", queue, "plan"), Filter: filter.String(), Snapshot: strconv.Itoa(s.Version()), Left: left,
		Buttons: a.buttons(queue),
	}
	if len(d.Buttons) == 0 {
		return nil
	}
	return d
}

// buttons are those for which the viewer has the right.
func (a *answer) buttons(queue string) (all []kindButton) {
	for _, b := range []kindButton{
		{operation.Redrive, "Plan redrive"}, {operation.Archive, "Archive"}, {operation.Delete, "Delete"}, {operation.Export, "Export"},
	} {
		if b.Kind == operation.Archive && a.console.cfg.waysOf(queue).archive == queue {
			continue // it is the archive
		}
		if a.user.may(rights[b.Kind], queue) {
			all = append(all, b)
		}
	}
	return all
}
