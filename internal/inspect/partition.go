package inspect

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/management"
	"github.com/bunnicula-go/bunnicula/topology"
)

// Partition is the state of one partition at one moment. A nil field is unknown.
type Partition struct {
	Number int    `json:"partition"`
	Queue  string `json:"queue"`
	State  State  `json:"state"`
	Ready  *int   `json:"ready"`
	// Taken and not acked.
	Unacked *int `json:"unacked"`
	// How many wait in its retry queues, as far as these are known.
	Retrying *int `json:"retrying"`
	// How many consumers AMQP counts: of a quorum queue the active one alone, of a classic queue
	// those that stand by too.
	Consumers *int `json:"consumers"`
	// How many have subscribed, those that stand by too. The management API tells.
	Subscribed *int `json:"subscribed"`
	// Holder is who is active, nil if nobody is or it is unknown.
	Holder *Holder    `json:"holder"`
	Oldest *time.Time `json:"oldest"` // the timestamp of the message at the head
	Single *bool      `json:"single_active"`
	// Gone is who holds it and does not exist, nil if nobody does or it is unknown.
	Gone *Gone `json:"gone"`
	Standing

	suspect *Gone // what Gone will be if another look finds the same
}

// Holder is the connection of the active consumer.
type Holder struct {
	Connection string `json:"connection"` // the name that the client has given it, "" if none
	Address    string `json:"address"`    // of the client, with its port
	Tag        string `json:"consumer_tag"`
}

// Standing is what is to be noticed of a partition.
type Standing struct {
	// Left says that it is one of a larger n.
	Left bool `json:"left_over"`
	// Trouble is "" if nothing is to be noticed.
	Trouble Trouble `json:"trouble,omitempty"`
	// Still says that messages of its keys are not handled, or could not be.
	Still bool `json:"stands_still"`
}

// Trouble is what is wrong with a partition.
type Trouble string

// What can be wrong.
const (
	PartitionMissing Trouble = "missing"         // others are there
	PartitionNobody  Trouble = "nobody"          // no consumer
	PartitionIdle    Trouble = "nobody active"   // consumers stand by, and none is active
	PartitionGone    Trouble = "holder gone"     // the active consumer does not exist
	PartitionLeft    Trouble = "left over"       // of a larger n
	PartitionShared  Trouble = "no single"       // its queue has no single active consumer
	PartitionHidden  Trouble = "may not be seen" // this user may not look
)

func (b *Broker) partition(ctx context.Context, queue string, i int, delays []time.Duration, known map[string]management.Queue, consumers []management.Consumer) (Partition, error) {
	one := Partition{Number: i, Queue: topology.PartitionQueue(queue, i)}
	q, err := b.look(ctx, Expected{Name: one.Queue, Role: topology.RoleMain}, known)
	if err != nil {
		return one, err
	}
	one.State, one.Ready, one.Unacked, one.Consumers, one.Oldest = q.State, q.Ready, q.Unacked, q.Consumers, q.Oldest
	if m, ok := known[one.Queue]; ok {
		single := m.Arguments["x-single-active-consumer"] == any(true)
		one.Single = &single
	}
	if consumers != nil {
		one.hold(consumers)
		one.suspect = suspectOf(&one, known[one.Queue], consumers)
	}
	one.Retrying, err = b.retrying(ctx, one.Queue, delays, known)
	return one, err
}

// retrying counts what waits in the retry queues of a partition, nil if these are unknown.
func (b *Broker) retrying(ctx context.Context, queue string, delays []time.Duration, known map[string]management.Queue) (*int, error) {
	for name := range known {
		if main, delay, ok := CutRetry(name); ok && main == queue && !slices.Contains(delays, delay) {
			delays = append(slices.Clone(delays), delay)
		}
	}
	if len(delays) == 0 && known == nil {
		return nil, nil
	}
	total := 0
	for _, delay := range delays {
		q, err := b.look(ctx, Expected{Name: topology.RetryQueue(queue, delay), Role: topology.RoleRetry, Delay: delay}, known)
		if err != nil {
			return nil, err
		}
		if q.Ready != nil {
			total += *q.Ready
		}
	}
	return &total, nil
}

// hold finds out who is active.
func (p *Partition) hold(consumers []management.Consumer) {
	n := 0
	for _, c := range consumers {
		if c.Queue.Name != p.Queue {
			continue
		}
		n++
		if c.Active {
			from, _, _ := strings.Cut(c.Channel.Connection, " -> ")
			p.Holder = &Holder{Connection: c.Connection, Address: from, Tag: c.Tag}
		}
	}
	p.Subscribed = &n
}

func (p *Partition) judge(n int) {
	p.Left = p.Number >= n
	waits := some(p.Ready, p.Unacked, p.Retrying)
	switch {
	case p.State == Absent:
		p.Trouble, p.Still = PartitionMissing, true
	case p.Gone != nil:
		p.Trouble, p.Still = PartitionGone, true
	case p.Left:
		p.Trouble, p.Still = PartitionLeft, waits && !some(p.Consumers, p.Subscribed)
	case p.State == Hidden:
		p.Trouble = PartitionHidden
	case p.Single != nil && !*p.Single:
		p.Trouble, p.Still = PartitionShared, false
	case p.Subscribed != nil && *p.Subscribed > 0 && p.Holder == nil && !some(p.active()):
		p.Trouble, p.Still = PartitionIdle, true
	case p.Consumers != nil && *p.Consumers == 0 && !some(p.Subscribed):
		p.Trouble, p.Still = PartitionNobody, true
	}
}

// active returns how many consumers are active as far as AMQP tells. The API's answer may be some
// seconds old. Of a classic queue AMQP counts those that stand by too, as the API does.
func (p *Partition) active() *int {
	if p.Consumers != nil && p.Subscribed != nil && *p.Consumers >= *p.Subscribed && *p.Subscribed > 1 {
		return nil
	}
	return p.Consumers
}
