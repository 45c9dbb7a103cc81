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

// Copy is a message that is published in place of a delivery.
type Copy struct {
	To route.Destination
	amqp.Publishing
}

// errNoRoom says why a message is parked that could have been retried.
var errNoRoom = errors.New("its headers leave no room for a retry")

// copy settles a delivery by a copy. User headers that fill a frame, in bytes or in number, leave no
// room for the count that a retry has to carry. Such a message is parked with its user headers only,
// which fit since they came.
func (r *Rules) copy(f *Facts, p plan, g Given) Settlement {
	p.outcome.Group = r.group(p.outcome)
	if c := r.whole(f, p, g); c.fits() {
		return Settlement{Deed: DeedCopy, Outcome: p.outcome, Copy: c}
	}
	if p.to == route.Main(r.Topology) { // nothing failed
		return Settlement{Deed: DeedLeave, Outcome: p.outcome}
	}
	o := &p.outcome
	o.Action, o.Delay = monitoring.Parked, 0
	o.Err = errors.Join(o.Err, errNoRoom)
	o.Reason = cmp.Or(o.Reason, monitoring.ReasonError)
	o.Group = r.group(*o)
	c := r.bare(f, route.Error(r.Topology), g)
	if wire.PropertiesSize(&c.Publishing) > wire.MaxProperties {
		c.DeliveryMode = f.Raw.DeliveryMode // a byte that was not there
	}
	return Settlement{Deed: DeedCopy, Outcome: p.outcome, Copy: c}
}

// group is the fingerprint of a failure, "" if there was none.
func (r *Rules) group(o monitoring.Outcome) string {
	if o.Reason == monitoring.ReasonNone {
		return ""
	}
	return fingerprint(r.Consumer, o.Err, o.Reason)
}

// whole makes the message that is published in place of f: its body, its properties and its user
// headers as they were, and ours about what happened. What would lose a message or close the channel
// is left out: see [wire.Again].
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

// bare is f with its user headers only, and no larger than it was.
func (r *Rules) bare(f *Facts, to route.Destination, g Given) *Copy {
	c := &Copy{To: to, Publishing: wire.Again(&f.Raw, g.User)}
	if to.Expiration > 0 {
		c.Expiration = strconv.FormatInt(to.Expiration.Milliseconds(), 10)
	}
	return c
}

// fits says whether the copy can be read again on its way out of the queue that it goes to.
func (c *Copy) fits() bool {
	return wire.PropertiesSize(&c.Publishing) <= wire.MaxProperties-room(c.To) && len(c.Headers) <= wire.MaxCopied
}

// room is how many bytes stay free for headers that the broker adds. On each way out of a queue it
// counts deliveries. On the way out of a retry queue it tells of the dead-lettering, with names of up
// to 255 bytes. A message that grows beyond a frame by that can never be read again.
func room(to route.Destination) int {
	if to.Delay > 0 {
		return 3 << 10
	}
	return wire.RoomToCome
}

// stamp writes a time that nobody is to be handled before: Format cuts, so it is rounded up.
func stamp(t time.Time) string {
	return t.Add(time.Millisecond - time.Nanosecond).UTC().Format("2006-01-02T15:04:05.000Z07:00")
}
