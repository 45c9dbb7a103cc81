package control

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/foreign"
)

// ControlVersion is the version of the format of orders, asks and answers. It grows when a field
// changes its meaning. Fields may be added without that, so readers ignore what they do not know.
const ControlVersion = 1

// kind says what a record is. It is the AMQP message's type too.
type kind string

const (
	kindPause  kind = "pause"
	kindLimit  kind = "limit"
	kindResume kind = "resume"
	kindAsk    kind = "ask"
	kindAnswer kind = "answer" // not on the stream: it goes to whoever has asked
)

// isOrder says whether such a record changes what consumers do.
func (k kind) isOrder() bool { return k == kindPause || k == kindLimit || k == kindResume }

// Bounds of what a record may have.
const (
	maxConsumers = 1000
	maxWhy       = 500     // bytes
	maxSeq       = 1 << 53 // what other languages' numbers can hold
)

// record is the body of a record on the stream, as JSON: an order or an ask.
type record struct {
	Version   int       `json:"version"`             // ControlVersion
	ID        string    `json:"id"`                  // of the command
	Kind      kind      `json:"kind"`                //
	Consumers []string  `json:"consumers,omitempty"` // names; of an ask also none, which is all
	Limit     int       `json:"limit,omitempty"`     // of a limit
	At        time.Time `json:"at"`                  // when it was given, by the clock of who gave it
	Until     time.Time `json:"until,omitzero"`      // when the order ends; zero is never
	Seq       int64     `json:"seq,omitempty"`       // of an order: above all that its writer has read
	By        string    `json:"by,omitempty"`
	Why       string    `json:"why,omitempty"`
	Again     bool      `json:"again,omitempty"`   // a copy of an order, before the stream drops that
	Running   bool      `json:"running,omitempty"` // of an ask: with the handlers that run
}

// parseRecord reads a record, and refuses what cannot be meant. What it returns is safe to keep: no
// text is longer than its bound.
func parseRecord(body []byte) (record, error) {
	var r record
	if err := json.Unmarshal(body, &r); err != nil {
		return record{}, fmt.Errorf("it is no JSON of a record: %w", err)
	}
	if err := r.check(); err != nil {
		return record{}, err
	}
	r.By, r.Why = foreign.Cut(r.By, maxName), foreign.Cut(r.Why, maxWhy)
	r.At, r.Until = r.At.UTC(), r.Until.UTC()
	return r, nil
}

// check says which field of a record is wrong.
func (r *record) check() error {
	switch {
	case r.Version < 1 || r.Version > ControlVersion:
		return fmt.Errorf("version is %d, this program knows 1 to %d", r.Version, ControlVersion)
	case r.Kind != kindAsk && !r.Kind.isOrder():
		return fmt.Errorf("kind is %q, want pause, limit, resume or ask", foreign.Line(string(r.Kind), 60))
	case r.ID == "" || len(r.ID) > maxName:
		return fmt.Errorf("id has %d bytes, want 1 to %d", len(r.ID), maxName)
	case len(r.Consumers) > maxConsumers:
		return fmt.Errorf("consumers has %d names, want %d at most", len(r.Consumers), maxConsumers)
	case !foreign.IsTime(r.At) || !foreign.IsTime(r.Until):
		return fmt.Errorf("at or until is out of range")
	}
	for _, name := range r.Consumers {
		if name == "" || len(name) > maxName {
			return fmt.Errorf("consumers has a name of %d bytes, want 1 to %d", len(name), maxName)
		}
	}
	if r.Kind.isOrder() {
		return r.checkOrder()
	}
	return nil
}

// checkOrder checks what an ask does not have.
func (r *record) checkOrder() error {
	switch {
	case len(r.Consumers) == 0:
		return fmt.Errorf("consumers is empty")
	case r.Seq < 1 || r.Seq > maxSeq:
		return fmt.Errorf("seq is %d, want 1 to %d", r.Seq, int64(maxSeq))
	case r.Kind == kindLimit && r.Limit < 1:
		return fmt.Errorf("limit is %d, want 1 or more", r.Limit)
	}
	return nil
}

// body returns the record as it is written.
func (r record) body() []byte {
	body, err := json.Marshal(r)
	if err != nil {
		panic(err) // check has seen all times
	}
	return body
}

// answer is the body of an answer to an ask, or to an order that has a reply-to.
type answer struct {
	Version int     `json:"version"`
	To      string  `json:"to"` // id of the ask or the order
	Process Process `json:"process"`
}
