package audit

import (
	"log/slog"
	"time"
)

// Entry is one action of somebody, or how it has ended.
type Entry struct {
	At     time.Time `json:"at"` // defaults to the time of Write
	Who    string    `json:"who"`
	From   string    `json:"from,omitempty"` // from where: an address
	Action string    `json:"action"`         // such as "redrive", "view a body" or "log in"

	Queue     string `json:"queue,omitempty"`
	Consumer  string `json:"consumer,omitempty"`
	Filter    string `json:"filter,omitempty"` // as text; what somebody has typed
	Mark      string `json:"mark,omitempty"`   // of one message
	Operation string `json:"operation,omitempty"`
	RedriveID string `json:"redrive_id,omitempty"`
	Detail    string `json:"detail,omitempty"` // for how long, and why

	Count  int `json:"count,omitempty"` // messages that are to be touched
	Moved  int `json:"moved,omitempty"` // that were
	Failed int `json:"failed,omitempty"`

	// Outcome is how the action has ended, such as "done" or "refused"; "" before it begins.
	Outcome string `json:"outcome,omitempty"`
	Err     string `json:"error,omitempty"`
}

// attributes returns an Entry for slog.
func (e *Entry) attributes() []slog.Attr {
	all := []slog.Attr{slog.String("who", e.Who), slog.String("action", e.Action)}
	for _, a := range []slog.Attr{
		slog.String("from", e.From), slog.String("queue", e.Queue), slog.String("consumer", e.Consumer),
		slog.String("filter", e.Filter), slog.String("mark", e.Mark),
		slog.String("operation", e.Operation), slog.String("redrive_id", e.RedriveID),
		slog.String("detail", e.Detail), slog.String("outcome", e.Outcome), slog.String("error", e.Err),
	} {
		if a.Value.String() != "" {
			all = append(all, a)
		}
	}
	for _, n := range []struct {
		name  string
		count int
	}{{"count", e.Count}, {"moved", e.Moved}, {"failed", e.Failed}} {
		if n.count > 0 {
			all = append(all, slog.Int(n.name, n.count))
		}
	}
	return all
}
