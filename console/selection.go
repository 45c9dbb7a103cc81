package console

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/bunnicula-go/bunnicula/console/internal/operation"
	"github.com/bunnicula-go/bunnicula/errorqueue"
)

// mostTicked is how many ticked messages one plan takes. A filter takes any number.
const mostTicked = 1000

// rights are what a viewer needs for each kind of operation.
var rights = map[operation.Kind]Right{
	operation.Redrive: Move, operation.Archive: Move, operation.Delete: Change, operation.Export: Read,
}

// verbs are the kinds in words, as buttons say them.
var verbs = map[operation.Kind]string{
	operation.Redrive: "Redrive", operation.Archive: "Archive", operation.Delete: "Delete", operation.Export: "Export",
}

// selection is which messages of an error queue somebody has chosen: ticked ones, or those of a
// filter. It is never "the page".
type selection struct {
	Kind   operation.Kind `json:"k"`
	Filter string         `json:"f,omitempty"`
	Marks  []string       `json:"m,omitempty"` // ticked
	GoesOn string         `json:"g,omitempty"` // the operation that is gone on with, whose choice it is
}

var (
	errNothing = errors.New("nothing is selected: tick messages, or choose all that match")
	errTooMany = fmt.Errorf("more than %d messages are ticked: choose them by a filter", mostTicked)
	errKind    = errors.New("the form does not say what is to be done")
)

// selected reads the selection of a form or a link. The buttons "ticked" and "all" have the kind of
// operation; "kind" is that of a selection that was made before.
func selected(form url.Values) (selection, error) {
	s := selection{Filter: strings.TrimSpace(form.Get("filter")), GoesOn: form.Get("goes-on")}
	for _, field := range form["mark"] {
		for mark := range strings.SplitSeq(field, ",") {
			if mark != "" {
				s.Marks = append(s.Marks, mark)
			}
		}
	}
	switch {
	case s.GoesOn != "":
		return s, nil // goesOn sets the rest
	case form.Get("ticked") != "":
		s.Kind = operation.Kind(form.Get("ticked"))
		if len(s.Marks) == 0 {
			return s, errNothing
		}
	case form.Get("all") != "":
		s.Kind, s.Marks = operation.Kind(form.Get("all")), nil
	default:
		s.Kind = operation.Kind(form.Get("kind"))
	}
	if len(s.Marks) > 0 {
		s.Filter = ""
	}
	if verbs[s.Kind] == "" {
		return s, errKind
	}
	return s, s.check()
}

// check says what is wrong with the choice.
func (s selection) check() error {
	if len(s.Marks) > mostTicked {
		return errTooMany
	}
	for _, mark := range s.Marks {
		if len(mark) != 32 || strings.Trim(mark, "0123456789abcdef") != "" {
			return errors.New("a ticked message has no mark")
		}
	}
	_, err := errorqueue.ParseFilter(s.Filter)
	return err
}

// filter is the choice as a filter. check has found nothing wrong with it.
func (s selection) filter() errorqueue.Filter {
	if len(s.Marks) > 0 {
		return errorqueue.Filter{Marks: s.Marks}
	}
	f, _ := errorqueue.ParseFilter(s.Filter)
	return f
}

// all says that the selection is every message of the queue.
func (s selection) all() bool { return s.GoesOn == "" && s.filter().IsZero() }
