package snapshot

import (
	"errors"
	"time"

	"github.com/bunnicula-go/bunnicula/errorqueue"
)

// The errors of a Snapshot. Match them with errors.Is.
var (
	// ErrNotIndexed: the filter looks at headers or bodies, which only a pass can see.
	ErrNotIndexed = errors.New("header. and body. terms need a reading of the queue")

	// ErrUnknown: no row has this mark.
	ErrUnknown = errors.New("there is no such message in this reading")

	// ErrNotKept: the message was read, but it is not in the spool.
	ErrNotKept = errors.New("the message was not kept")
)

// Snapshot is what one pass over an error queue has read. Rows have the queue's order. It grows
// while its pass runs, and is immutable then. It is safe for many goroutines.
type Snapshot struct{}

// Queue is the error queue's name, as the viewer gave it.
func (s *Snapshot) Queue() string { return "" }

// Version numbers the passes of a Store, from 1.
func (s *Snapshot) Version() int { return 0 }

// Began is when the pass began. Ages of filters are compared to it.
func (s *Snapshot) Began() time.Time { return time.Time{} }

// Done says whether the pass is over, with or without an error.
func (s *Snapshot) Done() bool { return false }

// Read is how many messages the pass has read, and rows how many of them are rows: the first ones.
func (s *Snapshot) Read() (read, rows int) { return 0, 0 }

// Deliveries is the largest count of deliveries that a message had. It is 0 if the queue does not
// count.
func (s *Snapshot) Deliveries() int { return 0 }

// Groups returns the groups of all messages, also of those beyond the rows.
func (s *Snapshot) Groups() Groups { return Groups{} }

// Timeline returns how many messages were parked when. Without a filter it counts all messages, with
// one only rows.
func (s *Snapshot) Timeline(f errorqueue.Filter) (Timeline, error) { return Timeline{}, nil }

// Counts returns the values of a property among the chosen rows, the most frequent first.
func (s *Snapshot) Counts(f errorqueue.Filter, by Property) ([]Count, error) { return nil, nil }

// Find returns a page of the chosen rows, and how many are chosen. Ages are compared to Began.
func (s *Snapshot) Find(f errorqueue.Filter, p Page) (rows []Row, total int, err error) {
	return nil, 0, nil
}

// Row returns the first row with a mark. A mark is a digest of id and body: alike says how many
// rows have it.
func (s *Snapshot) Row(mark string) (r Row, alike int, err error) { return Row{}, 0, ErrUnknown }

// Neighbours returns the rows before and after the row with a mark, among the chosen ones. Nil is
// none. index is how many chosen rows are before it.
func (s *Snapshot) Neighbours(mark string, f errorqueue.Filter) (before, after *Row, index int, err error) {
	return nil, nil, 0, ErrUnknown
}

// Message returns all of a message but what is beyond the first 64 KiB of its body: BodySize is
// larger than the length of Body then.
func (s *Snapshot) Message(mark string) (errorqueue.Message, error) {
	return errorqueue.Message{}, ErrNotKept
}

// Property is what Counts counts.
type Property string

// The properties.
const (
	ByReason   Property = "reason"
	ByType     Property = "type"
	ByError    Property = "error"
	ByConsumer Property = "consumer"
	ByVersion  Property = "version"
	ByHost     Property = "host"
	ByTarget   Property = "queue"
	ByDelay    Property = "delay" // from the first failure until it was parked: "below 1m", ...
)
