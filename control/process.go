package control

import "time"

// Process is what one process has answered.
type Process struct {
	ID         string    `json:"id"` // of this run of the process
	Host       string    `json:"host,omitempty"`
	PID        int       `json:"pid"`
	App        string    `json:"app,omitempty"`
	AppVersion string    `json:"app_version,omitempty"`
	Started    time.Time `json:"started,omitzero"`
	Consumers  []Member  `json:"consumers"`
	Trouble    string    `json:"trouble,omitempty"` // why it may miss orders, "" if nothing
}

// Member is a consumer of a process.
type Member struct {
	Name         string    `json:"name"`
	Queue        string    `json:"queue"`
	Connection   string    `json:"connection,omitempty"` // Spec.Connection, "" for the app's own
	Partitions   string    `json:"partitions,omitempty"` // the queue that its queue is a partition of, or ""
	Concurrency  int       `json:"concurrency"`
	Limit        int       `json:"limit"` // how many handlers at once at present
	Paused       bool      `json:"paused"`
	PausedByApp  bool      `json:"paused_by_app,omitempty"` // by Consumer.Pause, and by no order
	Ready        bool      `json:"ready"`
	Subscribed   bool      `json:"subscribed"`
	Stuck        int       `json:"stuck,omitempty"`
	OrderID      string    `json:"order_id,omitempty"` // the order that it obeys, or ""
	Err          string    `json:"error,omitempty"`
	Running      []Handler `json:"running,omitempty"` // of Fleet.Processes only; the longest first, and 100 at most
	RunningCount int       `json:"running_count"`
}

// Handler is a handler that runs.
type Handler struct {
	MessageID string    `json:"message_id"`
	Given     bool      `json:"message_id_given,omitempty"` // the id; the publisher has set none
	Type      string    `json:"type,omitempty"`
	Attempt   int       `json:"attempt"`
	Since     time.Time `json:"since"`
	Stuck     bool      `json:"stuck,omitempty"`
	Stack     string    `json:"stack,omitempty"` // of a stuck one; 8 KiB at most
}

// is says whether an order for a name concerns the consumer.
func (m *Member) is(name string) bool { return m.Name == name || m.Partitions != "" && m.Partitions == name }
