package consumer

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/compare"
)

// backlogMayLast is how long a backlog may wait for handlers that have become slow, or fewer.
const backlogMayLast = 5 * time.Second

// prefetch returns the prefetch of the subscription that is wanted now.
func (in *intake) prefetch() int {
	ahead := in.c.control.get().prefetch()
	if in.lives.retires() {
		return 0
	}
	if in.lives.careful() {
		return min(ahead, 1)
	}
	return ahead
}

// bring makes the subscription the one that is wanted, as far as that is possible now. Another
// prefetch takes another subscription, because basic.qos does not change one that stands.
func (in *intake) bring() error {
	want := in.prefetch()
	in.waiting.Store(want == 0 || in.lives.returns())
	in.c.pool.bar(want == 0)
	switch {
	case in.lives.retires():
		if err := in.rest(); err != nil || in.from.acks.InHand() > 0 {
			return err
		}
		return errReturn
	case want == 0:
		return in.rest()
	case in.lives.returns() && in.from.acks.InHand() == 0:
		return errors.Join(in.rest(), errReturn)
	case want == in.standing:
		return nil
	case in.standing > 0:
		if err := in.change(want); err != nil {
			return err
		}
	}
	if in.from.acks.Unsettled() >= want {
		// The prefetch bounds each subscription by itself. Without this wait each new subscription
		// could add to what earlier ones have left unsettled, such as messages whose copies are
		// blocked.
		in.waiting.Store(true)
		in.shed()
		if in.from.acks.Unsettled() >= want {
			return nil
		}
	}
	return in.subscribe(want)
}

// change ends the subscription that stands, because another prefetch is wanted. What it has left is
// handled before what the next one brings.
func (in *intake) change(want int) error {
	before := in.standing
	rest, err := in.unsubscribe()
	if err != nil {
		return err
	}
	in.c.pool.add(rest...)
	if want < before {
		in.backlogUntil = time.Now().Add(backlogMayLast)
		time.AfterFunc(backlogMayLast, in.c.control.changed.set)
	}
	return nil
}

// shed gives what waits back if handlers that have become slow, or fewer, have not begun it in
// time.
func (in *intake) shed() {
	if in.backlogUntil.IsZero() || time.Now().Before(in.backlogUntil) {
		return
	}
	all := in.c.pool.takeBack()
	if len(all) == 0 {
		return
	}
	why := "handlers have become slow"
	if w := in.c.control.get(); w.limit() < w.concurrency {
		why = "fewer handlers may run at once"
	}
	in.c.log.Info("messages that were taken ahead go back to the queue", "messages", len(all), "why", why)
	in.giveBack(all)
	in.backlogUntil = time.Time{}
}

// rest ends the subscription and gives back what no handler has begun, in the queue's order.
//
// A single active consumer must not do that: another process would become active while this one
// still works on earlier messages. It waits until all that it has begun is settled, and then closes
// the channel. The queue has the others back in their order then.
func (in *intake) rest() error {
	if in.c.control.get().isPaused() {
		in.c.supervisor.idle(in.lives.link.Peer())
	}
	if in.standing > 0 && in.c.spec.SingleActive {
		if n, _ := in.c.pool.waits(); in.from.acks.InHand() > n {
			return nil
		}
		return errYield
	}
	all := in.c.pool.takeBack()
	if in.standing > 0 {
		more, err := in.unsubscribe()
		if err != nil {
			return err
		}
		all = append(all, more...)
	}
	in.giveBack(all)
	in.c.gauges.subscribed.Store(false)
	return nil
}

// giveBack gives back deliveries that no handler has begun.
func (in *intake) giveBack(all []*received) {
	for _, d := range all {
		in.c.settler.giveBack(d)
	}
}

// subscribe starts a subscription. Its tag is new, because a tag that is used twice on a quorum
// queue ends the connection.
func (in *intake) subscribe(prefetch int) error {
	c := in.c
	in.from.acks.Gather(prefetch, c.spec.Concurrency)
	in.tags++
	if in.tag = c.supervisor.id + "-" + strconv.Itoa(in.tags); len(c.spec.Name)+1+len(in.tag) <= 255 {
		in.tag = c.spec.Name + "-" + in.tag
	}
	args := compare.Subscription(c.spec.Priority)
	if limit := c.spec.holdsAtMost(); limit > 0 {
		args["x-consumer-timeout"] = limit.Milliseconds()
	}
	// The intake waits for each answer even if a stop is out of time, because two requests at once
	// may swap their replies (see transport), and the close of the channel is one.
	subscribed := make(chan (<-chan amqp.Delivery), 1)
	tag := in.tag
	err := in.from.session.Do(context.Background(), "subscribe", func() error {
		if err := in.from.Qos(prefetch, 0, false); err != nil {
			return err
		}
		deliveries, err := in.from.Consume(c.spec.Queue, tag, false, false, false, false, args)
		if err == nil {
			subscribed <- deliveries
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("consume from queue %q: %w", c.spec.Queue, compare.Stream(c.spec.Queue, err))
	}
	in.deliveries, in.standing, in.backlogUntil = <-subscribed, prefetch, time.Time{}
	c.gauges.prefetch.Store(int64(prefetch))
	c.gauges.subscribed.Store(true)
	c.supervisor.subscribed(in.lives.link.Peer())
	return nil
}

// unsubscribe ends the subscription. It returns what the client had received and the intake had not
// taken. What is above the budget is given back as it comes, because all of it could be large.
func (in *intake) unsubscribe() ([]*received, error) {
	if in.deliveries == nil {
		return nil, in.lives.wait()
	}
	_ = in.from.acks.Flush() // an error: the channel has ended, which the cancel then returns
	tag, deliveries := in.tag, in.deliveries
	// The first few are kept in any case. Before they have come the broker would not have the
	// cancel, and could deliver again what is given back.
	_, waits := in.c.pool.waits()
	few, room := in.c.lookahead.few, budget-waits
	left := make(chan []*received, 1)
	go func() { // Cancel returns when the client has handed over what it has received
		var rest backlog
		for raw := range deliveries {
			d := in.c.decode(&raw, in.from)
			in.from.acks.Take(1)
			if rest.bytes+d.size() > room && rest.len() >= few {
				in.c.settler.giveBack(d)
				continue
			}
			rest.push(d)
		}
		left <- rest.drain()
	}()
	err := in.from.session.Do(context.Background(), "cancel the subscription", func() error { return in.from.Cancel(tag, false) })
	if err != nil {
		return nil, err
	}
	rest := <-left
	in.deliveries, in.standing = nil, 0
	return rest, nil
}
