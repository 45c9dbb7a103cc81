package errorqueue

import (
	"strconv"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/route"
	"github.com/bunnicula-go/bunnicula/topology"
)

// passage says where the messages of one queue of the old consumer go. It is a value.
type passage struct {
	from topology.Queue
	to   string // the queue, of a retry queue the one that fits its delay; "" if there is a problem

	// problem is why nothing can be moved; "" if it can.
	problem string

	// shared says that other consumers may park messages in the queue too: only those that are known
	// to come from the old consumer are moved.
	shared bool

	// ownTime says that each message of a retry queue waits as long as its expiration says, and the
	// queue has no time: it is of the scheme of Clojure's Bunnicula.
	ownTime bool
}

// passages returns a passage for each queue of the old consumer, in the order in which they are
// moved. The main queue is the last one, so that what comes back from a retry queue meanwhile is
// moved too.
func passages(from, to topology.Topology) []passage {
	var all []passage
	for _, role := range []topology.Role{topology.RoleError, topology.RoleQuarantine, topology.RoleRetry, topology.RoleMain} {
		for _, q := range from.Queues {
			if q.Role == role {
				p := passageOf(q, mainOf(from), to)
				p.ownTime = from.Scheme == topology.Bunnicula
				all = append(all, p)
			}
		}
	}
	return all
}

func passageOf(q topology.Queue, old string, to topology.Topology) passage {
	p := passage{from: q}
	switch q.Role {
	case topology.RoleError:
		p.to = route.Error(to).Queue
		p.shared = q.Name != topology.ErrorQueue(old) || q.Name == p.to
	case topology.RoleQuarantine:
		p.to = route.Quarantine(to).Queue
		p.problem = "the new consumer has no quarantine queue, and these messages may end a process"
	case topology.RoleRetry:
		p.to = route.Retry(to, q.Delay).Queue
		p.problem = "the new consumer has no retry queue; they come back into the old main queue when their time is over"
	default:
		p.to = route.Main(to).Queue
	}
	if p.to != "" {
		p.problem = ""
	}
	return p
}

// mainOf returns the name of the main queue of a topology, "" if it has none.
func mainOf(t topology.Topology) string { return route.Main(t).Queue }

// destinations returns the queues to which passages may lead.
func destinations(all []passage, to topology.Topology) []string {
	names := []string{mainOf(to)}
	retries := false
	for _, p := range all {
		switch {
		case p.problem != "" || p.from.Role == topology.RoleMain:
		case p.from.Role == topology.RoleRetry:
			retries = true
		default:
			names = append(names, p.to)
		}
	}
	for _, q := range to.Queues {
		if retries && q.Role == topology.RoleRetry {
			names = append(names, q.Name)
		}
	}
	return names
}

// due says when a message of a retry queue is to be handled, and in which queue of the new consumer
// it waits until then.
type due struct {
	queue      string
	notBefore  time.Time // zero if the queue itself makes the message wait long enough
	expiration string    // in ms, where the message says itself how long it waits; else empty
}

// dueOf decides where a message of a retry queue goes on waiting. Nobody knows for how long it has
// waited. If it says before which time it is not to be handled, that time stands. Otherwise its
// delay begins anew: it is never early, and late by as long as it had waited.
func dueOf(to topology.Topology, delay time.Duration, notBefore, now time.Time) due {
	if notBefore.IsZero() {
		notBefore = now.Add(delay)
	}
	left := notBefore.Sub(now)
	if left <= 0 {
		return due{queue: mainOf(to)}
	}
	d := route.Retry(to, left)
	next := due{queue: d.Queue}
	if d.Expiration > 0 { // without it the message would wait for ever
		next.expiration = strconv.FormatInt(d.Expiration.Milliseconds(), 10)
	}
	if d.Delay < left {
		next.notBefore = notBefore
	}
	return next
}
