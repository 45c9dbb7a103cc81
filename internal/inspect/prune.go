package inspect

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/management"
	"github.com/bunnicula-go/bunnicula/internal/transport"
	"github.com/bunnicula-go/bunnicula/topology"
)

// Leftover is a queue that no plan has any more: a retry queue of a consumer whose plan no longer
// has its delay, or any queue of a consumer that is gone.
type Leftover struct {
	Queue    string        `json:"queue"`
	Consumer string        `json:"consumer"`
	Role     topology.Role `json:"role"`
	Delay    string        `json:"delay"` // of a retry queue
	Deleted  bool          `json:"deleted"`
	// Keep is why the queue must not be deleted; "" if it may be.
	Keep string `json:"keep,omitempty"`
	// Unasked says that the queue is kept because nobody has asked for its role.
	Unasked bool `json:"-"`

	expected topology.Queue
}

// Leftovers returns the existing retry queues of these plans' consumers that no plan has any more.
// The management API tells which queues exist; without it Leftovers checks those of the delays. It
// changes nothing.
func (b *Broker) Leftovers(ctx context.Context, known *Known, delays []time.Duration, plans ...topology.Plan) ([]Leftover, error) {
	named, err := namesOf(plans)
	if err != nil {
		return nil, err
	}
	found := []Leftover{}
	for _, p := range plans {
		if p.Scheme != topology.Standard {
			continue // the name of its one retry queue has no delay
		}
		for _, delay := range candidates(p, known, delays) {
			l, err := leftover(p, delay)
			if err != nil {
				return nil, err
			}
			if named[l.Queue] {
				continue
			}
			there, err := b.judge(ctx, &l, known)
			if err != nil {
				return nil, err
			}
			if there {
				found = append(found, l)
			}
		}
	}
	return found, nil
}

// candidates returns the delays whose retry queues may exist.
func candidates(p topology.Plan, known *Known, delays []time.Duration) []time.Duration {
	all := slices.Clone(delays)
	if known != nil {
		for name := range known.Queues {
			if main, delay, ok := CutRetry(name); ok && main == p.Queue {
				all = append(all, delay)
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func leftover(p topology.Plan, delay time.Duration) (Leftover, error) {
	p.Delays, p.Mode = []time.Duration{delay}, topology.All
	t, err := topology.New(p)
	if err != nil {
		return Leftover{}, err
	}
	i := slices.IndexFunc(t.Queues, func(q topology.Queue) bool { return q.Role == topology.RoleRetry })
	q := t.Queues[i]
	return Leftover{Queue: q.Name, Consumer: p.Queue, Role: topology.RoleRetry, Delay: topology.FormatDelay(delay), expected: q}, nil
}

// judge says whether the queue exists, and fills in why it must be kept.
func (b *Broker) judge(ctx context.Context, l *Leftover, known *Known) (there bool, err error) {
	c, err := b.Queue(ctx, l.expected)
	if err != nil || c.Verdict == Missing {
		return false, err
	}
	n, err := b.Count(ctx, l.Queue)
	switch {
	case code(err) == amqp.NotFound:
		return false, nil
	case code(err) == amqp.AccessRefused:
		l.Keep = "this user may not look at it"
		return true, nil
	case err != nil:
		return false, err
	}
	k, listed := known.queue(l.Queue)
	l.Keep = keep(l.expected, c, n, k, listed)
	return true, nil
}

// keep returns why a queue must not be deleted.
func keep(q topology.Queue, c Comparison, n Count, k management.Queue, listed bool) string {
	quorum := queueType(q) == string(topology.Quorum)
	switch {
	case c.Verdict == Unknown:
		return "this user may not compare it"
	case c.Verdict == Differs:
		return fmt.Sprintf("it is not a retry queue as the file's consumer would declare it: %s is %s, want %s",
			c.Mismatch.Argument, orUnknown(c.Mismatch.Existing), orUnknown(c.Mismatch.Wanted))
	case inUse(n) != "":
		return inUse(n)
	case !quorum:
		return ""
	// A quorum queue keeps messages that it could not dead-letter yet, and does not count them as
	// ready.
	case !listed:
		return "AMQP does not tell whether it still keeps messages for its main queue; the management API does"
	case k.Messages == nil || k.Kept == nil:
		return "the management API does not yet know how many messages it keeps"
	case *k.Messages > 0 || *k.Kept > 0:
		return fmt.Sprintf("messages in it, or kept for its main queue: %d", max(*k.Messages, *k.Kept))
	}
	return ""
}

func orUnknown(value string) string {
	if value == "" {
		return "something else"
	}
	return value
}

// Prune deletes a queue that Leftovers or OldQueues has just found to be superfluous. The broker
// deletes a classic queue only if it is empty and unused at that moment. No broker offers that for
// a quorum queue, so the error says if messages were deleted with it.
func (b *Broker) Prune(ctx context.Context, l *Leftover) error {
	if l.Keep != "" {
		return nil
	}
	safe := queueType(l.expected) == string(topology.Classic)
	var gone int
	err := b.Ask(ctx, "delete queue "+l.Queue, func(ch transport.Channel) error {
		q, sure, err := transport.LookOnce(ch, l.Queue)
		switch {
		case err != nil:
			return err
		case !sure:
			return transport.ErrUncounted
		case q.Messages > 0 || q.Consumers > 0:
			return errInUse
		}
		n, err := ch.QueueDelete(l.Queue, safe, safe, false)
		if err == nil {
			gone = n
		}
		return err
	})
	switch {
	case errors.Is(err, errInUse), code(err) == amqp.PreconditionFailed:
		l.Keep = errInUse.Error()
		return nil
	case code(err) == amqp.NotFound:
		l.Keep = "somebody else has deleted it"
		return nil
	case err != nil:
		return err
	}
	l.Deleted = true
	if gone > 0 {
		return fmt.Errorf("queue %q: %d messages came in between the last look and its deletion, and are gone", l.Queue, gone)
	}
	return nil
}

var errInUse = errors.New("it has come into use again")
