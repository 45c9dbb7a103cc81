package decide

import (
	"errors"
	"fmt"

	"github.com/bunnicula-go/bunnicula/internal/route"
	"github.com/bunnicula-go/bunnicula/monitoring"
)

// RefusedCopy returns the error of a message whose copy the broker refuses for good.
func RefusedCopy(why error) error { return fmt.Errorf("its copy is refused: %w", why) }

// Refused decides about a delivery whose copy the broker takes never, because of what is in it:
// its body is above a max_message_size that was lowered, for example. what is the Settlement that
// the copy belongs to, and why is what the broker says.
//
// The broker dead-letters such a message whole, since it does not look at the size there. Where
// that could lose the message it is held. A message whose copy is for the main queue is left: it
// was only interrupted, and comes back when the channel is closed.
func Refused(r *Rules, g Given, what Settlement, why error) Settlement {
	switch {
	case what.Copy.To == route.Main(r.Topology):
		return Settlement{Deed: DeedLeave, Outcome: what.Outcome}
	case !r.rejects(g):
		return Settlement{Deed: DeedHold}
	}
	o := what.Outcome
	o.Action, o.Reason, o.Delay = monitoring.Parked, monitoring.ReasonRefused, 0
	o.Err = errors.Join(o.Err, RefusedCopy(why))
	o.Group = r.group(o)
	return Settlement{Deed: DeedReject, Outcome: o}
}
