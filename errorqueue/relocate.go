package errorqueue

import (
	"strconv"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/wire"
	"github.com/bunnicula-go/bunnicula/topology"
)

// relocation makes the copies of the messages of one queue that a move takes to another consumer.
// It is immutable.
type relocation struct {
	passage  passage
	old, new string // the main queues
	to       topology.Topology
	taker    taker
}

// copyOf makes the copy that the new consumer gets: the message with all that is known of it. A
// consumer trusts our headers only if they name its queue, so they name the new one.
func (r relocation) copyOf(d *held, now time.Time) envelope {
	if r.passage.from.Role == topology.RoleError {
		return r.parked(d)
	}
	own := r.isOwn(d)
	ours := amqp.Table{}
	if own {
		ours = r.carried(d)
	}
	ours[wire.Queue] = r.new
	if given := d.Headers[wire.MessageIDGiven]; wire.Kept(wire.MessageIDGiven, given) {
		ours[wire.MessageIDGiven] = given // the id is ours, whatever queue the other headers are about
	}
	r.originals(ours, d)
	to, t, expiration := r.passage.to, r.taker, ""
	switch {
	case r.passage.from.Role == topology.RoleRetry:
		next := r.retry(ours, d, own, now)
		to, expiration = next.queue, next.expiration
		t.fits -= min(3<<10, t.fits/8) // for what the broker writes when it dead-letters
	case r.expires():
		expiration = d.Expiration // its time begins anew
	}
	env := again(d, to, t, ours)
	env.Expiration = expiration
	return env
}

// isOwn says whether the old consumer believes our headers of the message.
func (r relocation) isOwn(d *held) bool {
	queue, named := d.Headers[wire.Queue]
	return !named || queue == any(r.old)
}

// carried returns our headers of a message that waits.
func (r relocation) carried(d *held) amqp.Table {
	ours := kept(d)
	if n, ok := d.Headers[wire.RetryAttempts]; ok {
		ours[wire.RetryAttempts] = int64(wire.Int(n))
	}
	if r.passage.from.Role != topology.RoleRetry {
		keepMoment(ours, d, wire.NotBefore)
	}
	if r.passage.from.Role == topology.RoleQuarantine {
		keepMoment(ours, d, wire.CrashedAt)
		crashes := wire.Int(d.Headers[wire.Crashes])
		if d.Redelivered { // the broker counts anew for each copy
			crashes += wire.Int(d.Headers[wire.DeliveryCount])
		}
		if crashes > 0 {
			ours[wire.Crashes] = int64(crashes)
		}
	}
	return ours
}

// keepMoment keeps a header that is a time.
func keepMoment(ours amqp.Table, d *held, name string) {
	if !moment(d.Headers, name).IsZero() {
		ours[name] = text(d.Headers, name)
	}
}

// originals adds the headers that say how the message was first published. They are set once. A
// message in a retry queue need not have them: what it would say to the old consumer when it comes
// back counts.
func (r relocation) originals(ours amqp.Table, d *held) {
	once := func(name, value string) {
		if _, there := ours[name]; !there {
			ours[name] = value
		}
	}
	exchange, key := d.Exchange, d.RoutingKey
	if r.passage.from.Role == topology.RoleRetry && !r.passage.ownTime {
		exchange, key = "", r.old
	}
	once(wire.OriginalExchange, exchange)
	once(wire.OriginalRoutingKey, key)
	if d.Expiration != "" && r.passage.from.Role == topology.RoleMain {
		once(wire.OriginalExpiration, d.Expiration)
	}
	if d.UserId != "" {
		once(wire.OriginalUserID, d.UserId)
	}
}

// retry returns where a message of a retry queue goes on waiting.
func (r relocation) retry(ours amqp.Table, d *held, own bool, now time.Time) due {
	var notBefore time.Time
	if own {
		notBefore = moment(d.Headers, wire.NotBefore)
	}
	next := dueOf(r.to, r.passage.delayOf(d), notBefore, now)
	if !next.notBefore.IsZero() {
		ours[wire.NotBefore] = wire.Stamp(next.notBefore)
	}
	return next
}

// delayOf returns how long a message waits in a retry queue. In the scheme of Clojure's Bunnicula
// each message says it by its expiration. Elsewhere the shorter one of the queue's time and the
// expiration counts.
func (p passage) delayOf(d *held) time.Duration {
	ms, err := strconv.ParseInt(d.Expiration, 10, 64)
	if err != nil || ms < 0 || ms > topology.MaxDelay.Milliseconds() {
		return p.from.Delay
	}
	wait := time.Duration(ms) * time.Millisecond
	if p.ownTime || p.from.Delay == 0 {
		return wait
	}
	return min(wait, p.from.Delay)
}

// expires says whether a message keeps the expiration with which it was published: where it is
// parked when it expires.
func (r relocation) expires() bool {
	if r.passage.from.Role != topology.RoleMain || r.to.Scheme != topology.Standard {
		return false
	}
	for _, q := range r.to.Queues {
		if q.Role == topology.RoleMain {
			return !q.Existing // its arguments are known
		}
	}
	return false
}

// parked makes the copy of a parked message. It is redriven to the new queue.
func (r relocation) parked(d *held) envelope {
	moved := *d
	m := &moved.message
	if m.Target == r.old {
		m.Target = r.new
		if m.TargetFrom == fromOpened && r.passage.to != topology.ErrorQueue(r.new) {
			m.TargetFrom = fromHeader // the queue's name would not tell any more
		}
	}
	return asItIs(&moved, r.passage.to, r.taker)
}

// staying returns the relocation that makes copies for the queue in which the messages are.
func (r relocation) staying(from topology.Topology) relocation {
	r.new, r.to = r.old, from
	r.passage.to = r.passage.from.Name
	return r
}

// copyToStay makes a copy for the queue in which the message is.
func (r relocation) copyToStay(d *held, now time.Time) envelope {
	env := r.copyOf(d, now)
	env.RoutingKey = r.passage.to
	return env
}
