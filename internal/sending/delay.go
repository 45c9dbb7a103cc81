package sending

import (
	"errors"
	"fmt"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/foreign"
	"github.com/bunnicula-go/bunnicula/internal/route"
	"github.com/bunnicula-go/bunnicula/internal/wire"
	"github.com/bunnicula-go/bunnicula/topology"
)

// Delayed says which queue a message with a delay is for, and when it is due.
type Delayed struct {
	Queue string
	Due   time.Time
}

// delay turns a message with a delay into one for a retry queue of its queue: that of the longest
// delay of topology.Ladder that fits. The header bunnicula-not-before has the queue's consumer send
// the message round until it is due, as decide.Rules does with a snooze. The header is there even
// if the message waits exactly so long: a policy of the broker can make the queue's delay shorter.
//
// What is wrong with a message is wrong also if it is due already, so that At fails at once and not
// only for the times to come.
func (d *Draft) delay(now time.Time) error {
	if d.When == nil {
		return nil
	}
	due := d.When(now)
	wait := due.Sub(now)
	if wait > topology.MaxDelay {
		return fmt.Errorf("the message is due at %s, want at most %s from now", foreign.Stamp(due), topology.MaxDelay)
	}
	if err := d.checkDelayed(); err != nil {
		return err
	}
	if wait <= 0 {
		return nil
	}
	queue := d.RoutingKey
	retry := topology.RetryQueue(queue, route.Rung(wait))
	if len(retry) > wire.MaxName {
		return fmt.Errorf("the name of the queue's retry queue is %d bytes long, AMQP allows %d", len(retry), wire.MaxName)
	}
	d.RoutingKey, d.Delayed = retry, &Delayed{Queue: queue, Due: due}
	if d.Headers == nil {
		d.Headers = amqp.Table{}
	}
	stamp := wire.Stamp(due)
	d.Headers[wire.Due], d.Headers[wire.NotBefore] = stamp, stamp
	return nil
}

// checkDelayed returns why a message may not have a delay.
func (d *Draft) checkDelayed() error {
	switch {
	case d.Exchange != "":
		return fmt.Errorf("a message for exchange %q cannot have a delay: Delay and At are for a queue, through the default exchange (publisher.Exchange(%q))", foreign.Cut(d.Exchange, 60), "")
	case d.RoutingKey == "":
		return errors.New("a message with a delay needs the name of a queue")
	case strings.HasPrefix(d.RoutingKey, "amq."):
		return errors.New(`a message cannot have a delay for a queue of the broker's ("amq."), which has no retry queues`)
	case d.Expiration != "":
		return errors.New("a message with an Expiration cannot have a delay, because it would leave its retry queue early")
	case d.NotMandatory:
		return errors.New("a message with NotMandatory cannot have a delay, because it would be lost where the queue has no retry queues")
	}
	for name := range d.Headers {
		if wire.IsRouting(name) { // mandatory is met by any queue that the message gets to
			return fmt.Errorf("a message with the header %s cannot have a delay, because it would be lost where the queue has no retry queues", name)
		}
	}
	return nil
}
