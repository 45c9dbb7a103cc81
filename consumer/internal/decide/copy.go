package decide

import (
	"cmp"
	"errors"
	"maps"
	"strconv"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/route"
	"github.com/bunnicula-go/bunnicula/internal/wire"
	"github.com/bunnicula-go/bunnicula/monitoring"
)

// Copy is a message that is published in place of a delivery. It is a value.
type Copy struct {
	To route.Destination
	amqp.Publishing
}

// errNoRoom says why a message is parked and not retried.
var errNoRoom = errors.New("its headers leave no room for a retry")

// copy returns the Settlement that publishes a copy. User headers that fill a frame, in bytes or in
// number, leave no room for the count that a retry has to carry. Such a message is parked with the
// user's headers only. They fit, because they have arrived in a frame. A message whose copy is for
// the main queue is left instead: nothing failed.
func (r *Rules) copy(f *Facts, p plan, g Given) Settlement {
	p.outcome.Group = r.group(p.outcome)
	if c := r.whole(f, p, g); c.fits() {
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
	c := r.bare(f, route.Error(r.Topology), g)
	if wire.PropertiesSize(&c.Publishing) > wire.MaxProperties {
		c.DeliveryMode = f.Raw.DeliveryMode // bare may have added this byte
	}
	return Settlement{Deed: DeedCopy, Outcome: p.outcome, Copy: c}
}

// group returns the fingerprint of a failure, or "" if there was none.
func (r *Rules) group(o monitoring.Outcome) string {
	if o.Reason == monitoring.ReasonNone {
		return ""
	}
	return fingerprint(r.Consumer, o.Err, o.Reason)
}

// whole returns the copy of f with our headers about what happened. Body, properties and the user's
// headers are as they were. What could lose the message or close the channel is left out: see
// [wire.Again].
func (r *Rules) whole(f *Facts, p plan, g Given) *Copy {
	c := r.bare(f, p.to, g)
	c.MessageId = cmp.Or(c.MessageId, g.ID)
	if c.Timestamp.IsZero() {
		c.Timestamp = g.Now.UTC()
	}
	c.ContentType = cmp.Or(c.ContentType, "application/octet-stream")
	ours := r.headers(f, p, g.Now)
	wire.Shrink(ours, min(wire.MaxOurs, wire.MaxProperties-room(p.to)-wire.PropertiesSize(&c.Publishing)))
	maps.Copy(ours, c.Headers)
	c.Headers = ours
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

// fits returns whether the client can still read the copy when it comes out of the queue that it
// goes to.
func (c *Copy) fits() bool {
	return wire.PropertiesSize(&c.Publishing) <= wire.MaxProperties-room(c.To) && len(c.Headers) <= wire.MaxCopied
}

// room returns how many bytes stay free for headers that the broker adds. To every delivery the
// broker adds a count. To a message from a retry queue it adds an account of the dead-lettering,
// with names of up to 255 bytes. A message that grows beyond a frame by that can never be read
// again.
func room(to route.Destination) int {
	if to.Delay > 0 {
		return 3 << 10
	}
	return wire.RoomToCome
}

// stamp formats a time before which a message is not to be handled. It rounds up, because Format
// cuts.
func stamp(t time.Time) string {
	return t.Add(time.Millisecond - time.Nanosecond).UTC().Format("2006-01-02T15:04:05.000Z07:00")
}
