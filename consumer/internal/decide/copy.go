package decide

import (
	"cmp"
	"errors"
	"maps"
	"strconv"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/route"
	"github.com/bunnicula-go/bunnicula/internal/wire"
	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/topology"
)

// Copy is a message that is published in place of a delivery. It is a value.
type Copy struct {
	To route.Destination
	amqp.Publishing
}

// errNoRoom says why a message is parked and not retried.
var errNoRoom = errors.New("its headers leave no room for a retry")

// errTooLarge says why a message is rejected and not parked by a copy.
var errTooLarge = errors.New("its headers do not fit a frame of the broker (frame_max)")

// copy returns the Settlement that publishes a copy. User headers that fill a frame, in bytes or in
// number, leave no room for the count that a retry has to carry. Such a message is parked with the
// user's headers only. A message whose copy is for the main queue is left instead: nothing failed.
//
// Even the user's headers may be too large: the broker's frame_max was lowered, or another protocol
// has published them. Then the broker can dead-letter the message whole. Where that could lose it,
// its copy is blocked, so that the message is held.
func (r *Rules) copy(f *Facts, p plan, g Given) Settlement {
	p.outcome.Group = r.group(p.outcome)
	limit := g.limit()
	if c := r.whole(f, p, g); c.fits(limit) {
		return Settlement{Deed: DeedCopy, Outcome: p.outcome, Copy: c}
	}
	if p.to == route.Main(r.Topology) {
		return Settlement{Deed: DeedLeave, Outcome: p.outcome}
	}
	o := &p.outcome
	o.Action, o.Delay = monitoring.Parked, 0
	o.Err = errors.Join(o.Err, errNoRoom)
	o.Reason = cmp.Or(o.Reason, monitoring.ReasonError)
	o.Group = r.group(*o)
	c := r.least(f, route.Error(r.Topology), g)
	if wire.PropertiesSize(&c.Publishing) > limit {
		c.DeliveryMode = f.Raw.DeliveryMode // bare may have added this byte
	}
	if wire.PropertiesSize(&c.Publishing) > limit && r.rejects(g) {
		o.Err = errors.Join(o.Err, errTooLarge)
		return Settlement{Deed: DeedReject, Outcome: p.outcome}
	}
	return Settlement{Deed: DeedCopy, Outcome: p.outcome, Copy: c}
}

// group returns the fingerprint of a failure, or "" if there was none. Partitions of one queue have
// the same failures.
func (r *Rules) group(o monitoring.Outcome) string {
	if o.Reason == monitoring.ReasonNone {
		return ""
	}
	name := r.Consumer
	if of, _, is := topology.PartitionOf(name); is {
		name = of
	}
	return fingerprint(name, o.Err, o.Reason)
}

// whole returns the copy of f with our headers about what happened. Body, properties and the user's
// headers are as they were. What could lose the message or close the channel is left out: see
// [wire.Again].
func (r *Rules) whole(f *Facts, p plan, g Given) *Copy {
	c := r.bare(f, p.to, g)
	c.MessageId = f.MessageID
	if c.Timestamp.IsZero() {
		c.Timestamp = g.Now.UTC()
	}
	c.ContentType = cmp.Or(c.ContentType, "application/octet-stream")
	ours := r.headers(f, p, g.Now)
	wire.Shrink(ours, min(wire.MaxOurs, g.limit()-room(p.to, g.limit())-wire.PropertiesSize(&c.Publishing)))
	maps.Copy(ours, c.Headers)
	c.Headers = ours
	return c
}

// least returns the copy of f with the user's headers only, and with the id that we have given to
// the message if that fits too.
func (r *Rules) least(f *Facts, to route.Destination, g Given) *Copy {
	c := r.bare(f, to, g)
	if !f.MessageIDGiven {
		return c
	}
	named := *c
	named.MessageId, named.Headers = f.MessageID, maps.Clone(c.Headers)
	named.Headers[wire.MessageIDGiven] = true
	if named.fits(g.limit()) {
		return &named
	}
	return c
}

// bare returns the copy of f with the user's headers only. It is larger than f by at most a
// delivery mode and the expiration of Bunnicula's scheme.
func (r *Rules) bare(f *Facts, to route.Destination, g Given) *Copy {
	c := &Copy{To: to, Publishing: wire.Again(&f.Raw, g.User)}
	if to.Expiration > 0 {
		c.Expiration = strconv.FormatInt(to.Expiration.Milliseconds(), 10)
	}
	return c
}

// limit returns how many bytes of headers and properties a copy may have.
func (g *Given) limit() int { return cmp.Or(g.Fits, wire.MaxProperties) }

// fits returns whether the broker takes the copy, and any client can still read it when it comes
// out of the queue that it goes to.
func (c *Copy) fits(limit int) bool {
	return wire.PropertiesSize(&c.Publishing) <= limit-room(c.To, limit) && len(c.Headers) <= wire.MaxCopied
}

// Shorten removes headers of ours that only people read, until headers and properties take at most
// limit bytes. It returns false, and changes nothing, if the others take more. A copy is made for
// the connection that its message came from; the one that it is published on may take smaller
// frames.
func (c *Copy) Shorten(limit int) bool {
	ours, others := amqp.Table{}, amqp.Table{}
	for k, v := range c.Headers {
		if wire.IsOurs(k) {
			ours[k] = v
		} else {
			others[k] = v
		}
	}
	rest := c.Publishing
	rest.Headers = others
	wire.Shrink(ours, limit-wire.PropertiesSize(&rest))
	maps.Copy(others, ours)
	if wire.PropertiesSize(&rest) > limit {
		return false
	}
	c.Publishing = rest
	return true
}

// room returns how many bytes stay free for headers that the broker adds. To every delivery the
// broker adds a count. To a message from a retry queue it adds an account of the dead-lettering,
// with names of up to 255 bytes. A message that grows beyond a frame by that can never be read
// again, but by clients that take larger frames, as consumers do. So of a small frame only an
// eighth stays free.
func room(to route.Destination, limit int) int {
	if to.Delay > 0 {
		return min(3<<10, limit/8)
	}
	return wire.RoomToCome
}
