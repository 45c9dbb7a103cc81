package pipeline

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/foreign"
	"github.com/bunnicula-go/bunnicula/internal/jobtree"
)

// recordVersion is the version of the format of records. It grows when a field changes its meaning.
// Fields may be added without that, so readers ignore what they do not know.
const recordVersion = 1

// recordKind says what a record is. It is the AMQP message's type too.
type recordKind string

const (
	kindBegin recordKind = "begin" // a start has begun
	kindDone  recordKind = "done"  // reports of nodes
	kindTold  recordKind = "told"  // Config.Completed has returned nil for the job
)

// record is the body of a record on the stream, as JSON.
type record struct {
	Version int        `json:"version"` // recordVersion
	Kind    recordKind `json:"kind"`

	Done []jobtree.Report `json:"done,omitempty"` // of kindDone

	Job   string    `json:"job,omitempty"`   // of kindBegin and kindTold
	Queue string    `json:"queue,omitempty"` // of kindBegin: to which the items go
	Nonce string    `json:"nonce,omitempty"` // of kindBegin: tells starts of one job apart
	At    time.Time `json:"at,omitzero"`     // of kindBegin and kindTold: by the clock of its process
}

// parseRecord reads a record, and refuses what cannot be meant.
func parseRecord(body []byte) (record, error) {
	var r record
	if err := json.Unmarshal(body, &r); err != nil {
		return record{}, fmt.Errorf("it is no JSON of a record: %w", err)
	}
	switch {
	case r.Version < 1 || r.Version > recordVersion:
		return record{}, fmt.Errorf("version is %d, this program knows 1 to %d", r.Version, recordVersion)
	case r.Kind == kindDone:
		return r, nil
	case r.Kind != kindBegin && r.Kind != kindTold:
		return record{}, fmt.Errorf("kind is %q, want begin, done or told", foreign.Line(string(r.Kind), 60))
	case !foreign.IsTime(r.At):
		return record{}, fmt.Errorf("at is out of range")
	case len(r.Queue) > maxQueue || len(r.Nonce) > maxQueue:
		return record{}, fmt.Errorf("queue or nonce has more than %d bytes", maxQueue)
	}
	return r, checkName("job", r.Job, maxJob)
}

// body returns the record as it is written.
func (r *record) body() ([]byte, error) {
	r.Version = recordVersion
	body, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("pipeline: encode a record: %w", err)
	}
	return body, nil
}
