package inspect

import (
	"context"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/management"
	"github.com/bunnicula-go/bunnicula/topology"
)

// Status is the state of one consumer's queues at one moment.
type Status struct {
	Consumer string        `json:"consumer"`
	Queues   []QueueStatus `json:"queues"`
}

// QueueStatus is the state of one queue at one moment. A nil field is unknown.
type QueueStatus struct {
	Queue   string        `json:"queue"`
	Role    topology.Role `json:"role"`            // main, retry, quarantine, error
	Delay   string        `json:"delay,omitempty"` // of a retry queue, such as 10s
	State   State         `json:"state"`
	Ready   *int          `json:"ready"`
	Unacked *int          `json:"unacked"`
	// Dead-lettered, and not confirmed by the queue that is to have them. AMQP does not count them.
	Kept      *int       `json:"kept"`
	Consumers *int       `json:"consumers"`
	Oldest    *time.Time `json:"oldest"` // the timestamp of the message at the head
	// Of a retry queue with messages, unless the main queue is missing: when all that are in it now
	// have gone back to the main queue, and before which time none has. One that is due later than
	// that comes again; when, only its headers tell.
	BackBy   *time.Time `json:"back_by,omitempty"`
	BackFrom *time.Time `json:"back_from,omitempty"`
	// Settings, of policies too, with which the queue loses messages or delays them. AMQP does not
	// tell policies.
	Problems []string `json:"problems,omitempty"`
}

// State says whether the numbers are known.
type State string

// The states.
const (
	Present State = "present"
	Absent  State = "missing"
	Hidden  State = "hidden" // this user may not look
)

// Missing says that the consumer's main queue does not exist.
func (s Status) Missing() bool {
	return len(s.Queues) > 0 && s.Queues[0].State == Absent
}

// Look counts the messages in each consumer's queues. known is the answer of the management API, or
// nil. Optional queues that do not exist are left out.
func (b *Broker) Look(ctx context.Context, consumers []Consumer, known map[string]management.Queue) ([]Status, error) {
	all := make([]Status, 0, len(consumers))
	for _, c := range consumers {
		s := Status{Consumer: c.Name, Queues: []QueueStatus{}}
		for _, q := range c.Queues {
			found, err := b.look(ctx, q, known)
			if err != nil {
				return nil, err
			}
			if s.Missing() {
				found.BackBy, found.BackFrom = nil, nil
			}
			if found.State != Absent || !q.Maybe {
				s.Queues = append(s.Queues, found)
			}
		}
		all = append(all, s)
	}
	return all, nil
}

// problems returns what is wrong with a queue's effective settings.
func problems(m management.Queue, want topology.Queue) (all []string) {
	for _, p := range m.Settings().Problems(want) {
		all = append(all, p.Problem)
	}
	return all
}

func (b *Broker) look(ctx context.Context, q Expected, known map[string]management.Queue) (QueueStatus, error) {
	s := QueueStatus{Queue: q.Name, Role: q.Role, State: Present}
	if q.Delay > 0 {
		s.Delay = topology.FormatDelay(q.Delay)
	}
	// AMQP counts now; the API's numbers are some seconds old.
	switch n, err := b.Count(ctx, q.Name); {
	case err == nil:
		s.Ready, s.Consumers = &n.Ready, &n.Consumers
	case code(err) == amqp.NotFound:
		s.State = Absent
		return s, nil
	case code(err) == amqp.AccessRefused, code(err) == amqp.ResourceLocked:
		s.State = Hidden
	default:
		return s, err
	}
	m, ok := known[q.Name]
	if ok {
		if s.State == Hidden {
			s.State, s.Ready, s.Consumers = Present, m.Ready, m.Consumers
		}
		s.Unacked, s.Kept, s.Oldest = m.Unacked, m.Kept, m.Oldest()
		s.Problems = problems(m, topology.Queue{Name: q.Name, Role: q.Role, Delay: q.Delay})
	}
	s.wait(q.Delay, m, time.Now())
	return s, nil
}
