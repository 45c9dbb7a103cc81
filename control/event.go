package control

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/foreign"
	"github.com/bunnicula-go/bunnicula/monitoring"
)

// EventVersion is the version of the format. It grows when a field changes its meaning. Fields may
// be added without that, so readers ignore what they do not know.
const EventVersion = 1

// Bounds of texts in an event, in bytes. The error queue has the same for the error and its type.
const (
	maxError     = 2 << 10
	maxErrorType = 200
)

// Event is the body of an event, as JSON. It has no field of the message's body and headers. But
// Error has what a handler or a codec writes into its errors, as the log has, and these may quote
// the body: the error of a time that does not parse does.
//
// The message id of the AMQP message is the event's own; its type is What, and its timestamp At.
type Event struct {
	Version int       `json:"version"` // EventVersion
	What    What      `json:"event"`
	At      time.Time `json:"at"` // when it happened, by the clock of Host

	Queue          string `json:"queue"` // the consumer's main queue
	Consumer       string `json:"consumer"`
	MessageID      string `json:"message_id"`
	MessageIDGiven bool   `json:"message_id_given,omitempty"` // the publisher has set none
	Type           string `json:"type,omitempty"`             // of the message

	Attempt    int               `json:"attempt"` // from 1
	MaxRetries int               `json:"max_retries"`
	Action     string            `json:"action"` // acked, retried or parked
	Reason     monitoring.Reason `json:"reason,omitempty"`

	Error      string `json:"error,omitempty"`       // at most 2 KiB
	ErrorType  string `json:"error_type,omitempty"`  // in Go such as *net.OpError
	ErrorGroup string `json:"error_group,omitempty"` // the same for failures of one kind, as in the error queue

	DelayMS int64     `json:"delay_ms,omitempty"` // how long a retried message waits at least
	Until   time.Time `json:"until,omitzero"`     // and until when

	Since      time.Time `json:"since,omitzero"` // from which the message's age counts, if known
	DurationMS int64     `json:"duration_ms"`    // how long the handler ran

	RedriveCount int    `json:"redrive_count,omitempty"` // how often it was redriven
	RedriveID    string `json:"redrive_id,omitempty"`    // of the last redrive

	Host       string `json:"host,omitempty"`
	App        string `json:"app,omitempty"`
	AppVersion string `json:"app_version,omitempty"`
}

// isEvent returns whether a message is an event. The exchange does not tell: a message that the
// broker has dead-lettered comes from the dead-letter exchange.
func isEvent(d *monitoring.Delivery) bool {
	if !slices.Contains(Whats, What(d.Type)) {
		return false
	}
	var e struct {
		Version int    `json:"version"`
		What    What   `json:"event"`
		Queue   string `json:"queue"`
	}
	err := json.Unmarshal(d.Body, &e)
	return err == nil && e.Version >= 1 && e.What == What(d.Type) && e.Queue != ""
}

// origin is where events come from.
type origin struct{ host, app, version string }

// event makes an event of an outcome. The error belongs to somebody else, so its text is taken now.
func (o origin) event(what What, at time.Time, d *monitoring.Delivery, out *monitoring.Outcome) *Event {
	at = at.UTC().Truncate(time.Millisecond)
	e := &Event{
		Version: EventVersion, What: what, At: at,
		Queue: d.Queue, Consumer: d.Consumer,
		MessageID: foreign.Cut(d.MessageID, maxName), MessageIDGiven: d.MessageIDGiven, Type: foreign.Cut(d.Type, maxName),
		Attempt: d.Attempt, MaxRetries: d.MaxRetries, Action: out.Action.String(), Reason: out.Reason,
		ErrorGroup: out.Group,
		DelayMS:    out.Delay.Milliseconds(), DurationMS: out.Duration.Milliseconds(),
		Since:        foreign.Known(d.Since),
		RedriveCount: d.RedriveCount, RedriveID: foreign.Cut(d.RedriveID, maxName),
		Host: o.host, App: o.app, AppVersion: o.version,
	}
	if out.Err != nil {
		e.Error = foreign.Text(out.Err, maxError)
		e.ErrorType = foreign.Cut(foreign.TypeName(out.Err), maxErrorType)
	}
	if out.Delay > 0 {
		e.Until = at.Add(out.Delay)
	}
	return e
}
