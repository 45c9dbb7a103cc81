package operation

import (
	"slices"
	"time"

	"github.com/bunnicula-go/bunnicula/errorqueue"
)

// Status says how an operation stands.
type Status string

// The statuses.
const (
	Running  Status = "running"
	Stopping Status = "stopping" // it was asked to stop, and gives messages back
	Done     Status = "done"
	Stopped  Status = "stopped" // by Stop or Close, before it had done all
	Failed   Status = "failed"  // an error has ended it: see State.Err

	// Interrupted: its process ended without saying how far it had come. Each message is in one of
	// the two queues, and at most a hundred are in both.
	Interrupted Status = "interrupted"
)

// Over says whether the operation does not run.
func (s Status) Over() bool { return s != Running && s != Stopping }

// Unfinished says whether the operation has ended before it had done all, so that another one can
// go on.
func (s Status) Unfinished() bool { return s == Stopped || s == Failed || s == Interrupted }

// State is all that is known of one operation. It is a copy: the lists in it are not changed.
type State struct {
	Intent

	Status Status
	// Copying says that the copy is being made, so that no message was touched yet.
	Copying  bool
	Progress errorqueue.Progress
	// Batches are the last thousand. The last one is being moved or watched while the operation
	// runs.
	Batches []Batch
	Report  Report // what was done, as far as is known

	Err string // what has ended it, "" without an error
	// Closed says that a Stopped one was ended by Close, and by nobody who wanted that.
	Closed bool
	// FailedAgain says that it stopped itself, because too many of a batch failed again.
	FailedAgain bool

	Began time.Time
	Ended time.Time // zero while it runs; of an interrupted one, when its progress was written last

	File      bool      // it has a file: see Runner.File
	FileUntil time.Time // when the file is removed

	before int // messages of all batches before the last one
}

// Same says whether a message has failed as it did before.
type Same string

// The answers.
const (
	Yes     Same = "yes"     // the same kind of failure: the errors differ in numbers and ids at most
	No      Same = "no"      // another failure
	Unknown Same = "unknown" // no reading has seen the earlier failure
)

// Failure is why a message was parked.
type Failure struct {
	Group, Reason, Type, Error string
	Version                    string // of the app
	At                         time.Time
}

// Report says what an operation has done.
type Report struct {
	Matched    int `json:"matched"`
	Moved      int `json:"moved"`       // redriven, archived, deleted or exported
	MaybeTwice int `json:"maybe_twice"` // of those, may still be parked
	Failed     int `json:"failed"`      // could not be published, and are still parked
	Illegible  int `json:"illegible"`   // chosen, and still parked: see errorqueue.Message
	// Missing is how many of Intent.Count were not met by an operation that is Done: they have left
	// the queue since the plan, or somebody else holds them.
	Missing int `json:"missing,omitempty"`

	Watch   time.Duration `json:"watch"` // of each batch, at most
	Took    time.Duration `json:"took"`
	Targets []string      `json:"targets,omitempty"` // queues to which messages went
	Copied  int           `json:"copied,omitempty"`  // messages in the copy

	// Failures are the first 100 messages that could not be published. They are not in the journal.
	Failures []errorqueue.Failure `json:"-"`
}

// copied returns a State that the operation does not change.
func (s *State) copied() State {
	c := *s
	c.Batches = slices.Clone(s.Batches)
	return c
}
