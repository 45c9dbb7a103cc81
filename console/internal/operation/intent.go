package operation

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"github.com/bunnicula-go/bunnicula/errorqueue"
)

// Kind says what an operation does.
type Kind string

// The kinds.
const (
	Redrive Kind = "redrive"
	Archive Kind = "archive"
	Delete  Kind = "delete"
	Export  Kind = "export" // changes nothing, and makes a file
)

// Intent is what somebody has asked for. ID, Kind, Queue and Count must be set, and Filter, Chosen
// or All.
type Intent struct {
	// ID names the operation: up to 64 letters, digits, - and _. It is used once.
	ID    string `json:"id"`
	Kind  Kind   `json:"kind"`
	Queue string `json:"queue"` // the error queue

	Filter string `json:"filter,omitempty"` // as text: see errorqueue.ParseFilter
	All    bool   `json:"all,omitempty"`    // every message, without a Filter

	// Chosen has the marks of the messages, in place of those of the Filter. It is kept in a file
	// beside the journal, and is nil in a State: see Runner.Chosen.
	Chosen []string `json:"-"`
	// ByMarks says that Chosen alone chooses, because the Filter was compared to changed messages.
	ByMarks bool `json:"by_marks,omitempty"`
	Marks   int  `json:"marks,omitempty"` // how many Chosen has; Start sets it

	Count  int       `json:"count"`            // most messages
	Within int       `json:"within,omitempty"` // see errorqueue.RedriveOptions
	Now    time.Time `json:"now,omitzero"`     // to which ages are compared; defaults to At
	Before time.Time `json:"before,omitzero"`  // what was parked then or later is left alone; zero is any time

	// Of a redrive.
	To       string        `json:"to,omitempty"`
	Batches  []int         `json:"batches,omitempty"`
	Watch    time.Duration `json:"watch,omitempty"` // nanoseconds
	Tolerate float64       `json:"tolerate,omitempty"`
	// On each message that is moved. Defaults to ID.
	RedriveID string `json:"redrive_id,omitempty"`

	Archive string  `json:"archive,omitempty"` // of an archive: the queue's name
	Rate    float64 `json:"rate,omitempty"`    // messages a second

	// Copy exports the messages before any of them is touched. Without a whole copy nothing is
	// done, and what is not in the copy is left alone.
	Copy bool `json:"copy,omitempty"`

	GoesOn string    `json:"goes_on,omitempty"` // the ID of an operation with which this one goes on
	Who    string    `json:"who,omitempty"`
	From   string    `json:"from,omitempty"` // from where: an address
	At     time.Time `json:"at,omitzero"`    // defaults to the time of Start
}

const maxID = 64

// resolve checks an Intent and fills in the defaults.
func (i Intent) resolve(now time.Time) (Intent, error) {
	if i.At.IsZero() {
		i.At = now
	}
	if i.Now.IsZero() {
		i.Now = i.At
	}
	if i.Kind == Redrive {
		i.RedriveID = cmp.Or(i.RedriveID, i.ID)
	}
	i.Marks = len(i.Chosen)
	return i, cmp.Or(i.checkNames(), i.checkChoice(), i.checkFields())
}

func (i Intent) checkNames() error {
	switch {
	case !isID(i.ID):
		return wrong("ID", i.ID, "up to 64 letters, digits, - and _")
	case i.Queue == "":
		return wrong("Queue", i.Queue, "the error queue's name")
	}
	switch i.Kind {
	case Redrive, Archive, Delete, Export:
		return nil
	}
	return wrong("Kind", string(i.Kind), "redrive, archive, delete or export")
}

// isID says whether a text can name an operation, and so its files.
func isID(id string) bool {
	for _, c := range id {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !letter && !(c >= '0' && c <= '9') && c != '-' && c != '_' {
			return false
		}
	}
	return id != "" && len(id) <= maxID
}

func (i Intent) checkChoice() error {
	filter, err := errorqueue.ParseFilter(i.Filter)
	if err != nil {
		return err
	}
	if i.Count < 1 {
		return wrong("Count", fmt.Sprint(i.Count), "1 or above")
	}
	if filter.IsZero() && len(i.Chosen) == 0 && !i.All {
		return errorqueue.ErrNoFilter
	}
	if i.ByMarks && len(i.Chosen) == 0 {
		return wrong("Chosen", "", "marks of messages, with ByMarks")
	}
	for _, mark := range i.Chosen {
		if _, ok := packed(mark); !ok {
			return wrong("Chosen", mark, "marks of messages")
		}
	}
	return nil
}

// checkFields refuses what the kind would ignore.
func (i Intent) checkFields() error {
	redrive := i.To != "" || len(i.Batches) > 0 || i.Watch != 0 || i.Tolerate != 0 || i.RedriveID != ""
	switch {
	case i.Kind != Redrive && redrive:
		return errors.New("To, Batches, Watch, Tolerate and RedriveID are of a redrive")
	case i.Kind != Archive && i.Archive != "":
		return wrong("Archive", i.Archive, "nothing, but for an archive")
	case i.Kind == Export && (i.Copy || i.Rate != 0):
		return errors.New("Copy and Rate are of what moves messages")
	}
	return nil
}

func wrong(field, value, want string) error {
	return &errorqueue.FieldError{Field: field, Value: value, Want: want}
}

// filter returns the Filter of the call. marks are those of the chosen messages, nil if the text of
// the Filter chooses.
func (i Intent) filter(marks []string) errorqueue.Filter {
	f, _ := errorqueue.ParseFilter(i.Filter) // resolve has checked it
	if i.ByMarks {
		f = errorqueue.Filter{}
	}
	if len(marks) > 0 {
		f.Marks = marks
	}
	if !i.Before.IsZero() && (f.Before.IsZero() || i.Before.Before(f.Before)) {
		f.Before = i.Before
	}
	return f
}
