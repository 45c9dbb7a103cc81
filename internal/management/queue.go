package management

import (
	"bytes"
	"context"
	"encoding/json"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/effective"
	"github.com/bunnicula-go/bunnicula/internal/foreign"
)

// Queue is the API's description of a queue. A pointer is nil if the API does not have the value,
// as for a queue that was just declared, or whose node is down.
type Queue struct {
	Name       string `json:"name"`
	Type       string `json:"type"` // "quorum", "classic", "stream"
	Durable    bool   `json:"durable"`
	AutoDelete bool   `json:"auto_delete"`
	State      string `json:"state"`
	Arguments  Values `json:"arguments"`
	Policy     string `json:"policy"`
	Operator   string `json:"operator_policy"`
	// Effective is the definition that results from policy and operator policy. It is nil for some
	// seconds after the queue was declared, or its node was started: the API does not know yet.
	Effective Values `json:"effective_policy_definition"`

	Messages *int `json:"messages"`
	Ready    *int `json:"messages_ready"`
	Unacked  *int `json:"messages_unacknowledged"`
	// Of a quorum queue: dead-lettered, and not yet confirmed.
	Kept      *int `json:"messages_dlx"`
	Consumers *int `json:"consumers"`
	// In seconds; of classic queues, if the message has a timestamp.
	Head    *int64   `json:"head_message_timestamp"`
	Members []string `json:"members"` // of a quorum queue
	Leader  string   `json:"leader"`  // the node that leads a quorum queue
	Node    string   `json:"node"`    // the same, and the node of a classic queue
	// SingleActive is the tag of the consumer that the queue takes for its single active one.
	SingleActive Tag      `json:"single_active_consumer_tag"`
	Online       []string `json:"online"`
	// Stats are rates. It is nil if nothing has happened yet, or if the API keeps none.
	Stats *QueueStats `json:"message_stats"`
}

// QueueStats are messages a second, as the API has averaged them.
type QueueStats struct {
	Published struct {
		Rate *float64 `json:"rate"`
	} `json:"publish_details"`
	Acked struct {
		Rate *float64 `json:"rate"`
	} `json:"ack_details"`
}

// In returns how many messages a second came, nil if unknown.
func (s *QueueStats) In() *float64 {
	if s == nil {
		return nil
	}
	return s.Published.Rate
}

// Out returns how many messages a second were acked, nil if unknown.
func (s *QueueStats) Out() *float64 {
	if s == nil {
		return nil
	}
	return s.Acked.Rate
}

// Tag is a consumer's tag, "" if there is none.
type Tag string

// UnmarshalJSON accepts whatever is no text for "", because Erlang has several ways to say nothing.
func (t *Tag) UnmarshalJSON(text []byte) error {
	var tag string
	if json.Unmarshal(text, &tag) != nil {
		tag = ""
	}
	*t = Tag(tag)
	return nil
}

// Settings returns what decides how the queue treats messages.
func (q Queue) Settings() effective.Queue {
	return effective.Queue{
		Name: q.Name, Type: q.Type, Arguments: q.Arguments, Policy: q.Effective,
		PolicyName: q.Policy, OperatorPolicyName: q.Operator,
	}
}

// Oldest returns the timestamp of the message at the head, if known. It is nil if the producer has
// written a number that is no time, such as milliseconds.
func (q Queue) Oldest() *time.Time {
	if q.Head == nil || *q.Head <= 0 {
		return nil
	}
	at := foreign.Known(time.Unix(*q.Head, 0))
	if at.IsZero() {
		return nil
	}
	return &at
}

// Queues returns all queues of a virtual host.
func (c *Client) Queues(ctx context.Context, vhost string) (map[string]Queue, error) {
	var list []Queue
	if err := c.get(ctx, &list, "queues", vhost); err != nil {
		return nil, err
	}
	queues := make(map[string]Queue, len(list))
	for _, q := range list {
		queues[q.Name] = q
	}
	return queues, nil
}

// Queue returns one queue of a virtual host. The error wraps ErrNotFound if there is none.
func (c *Client) Queue(ctx context.Context, vhost, name string) (q Queue, err error) {
	err = c.get(ctx, &q, "queues", vhost, name)
	return q, err
}

// Binding is one binding of a queue.
type Binding struct {
	Source      string `json:"source"`
	Destination string `json:"destination"`
	Kind        string `json:"destination_type"`
	Key         string `json:"routing_key"`
	Arguments   Values `json:"arguments"`
}

// Bindings returns all bindings of a virtual host.
func (c *Client) Bindings(ctx context.Context, vhost string) ([]Binding, error) {
	var list []Binding
	err := c.get(ctx, &list, "bindings", vhost)
	return list, err
}

// Node is a node of the cluster.
type Node struct {
	Name       string   `json:"name"`
	Running    bool     `json:"running"`
	Memory     bool     `json:"mem_alarm"`
	Disk       bool     `json:"disk_free_alarm"`
	Partitions []string `json:"partitions"`
}

// Nodes returns the nodes of the cluster.
func (c *Client) Nodes(ctx context.Context) ([]Node, error) {
	var list []Node
	err := c.get(ctx, &list, "nodes")
	return list, err
}

// Values are arguments or a policy's definition. Whole numbers are int64.
type Values map[string]any

// UnmarshalJSON accepts an empty list for an empty object, because Erlang writes both as a list.
func (v *Values) UnmarshalJSON(text []byte) error {
	*v = Values{}
	if text = bytes.TrimSpace(text); len(text) == 0 || text[0] != '{' {
		return nil
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var m map[string]any
	if err := decoder.Decode(&m); err != nil {
		return err
	}
	for name, value := range m {
		if number, ok := value.(json.Number); ok {
			if n, err := number.Int64(); err == nil {
				m[name] = n
			} else if f, err := number.Float64(); err == nil {
				m[name] = f
			}
		}
	}
	*v = m
	return nil
}
