package topology

import "maps"

const (
	// deliveryLimit parks a message that comes back again and again where nothing
	// counts what it does. It is finite, because -1 is no limit on a 4.0 broker and
	// a limit of zero on a 3.10, and explicit, because the default differs too.
	deliveryLimit int64 = 100

	// parkedDeliveryLimit is never reached. An error queue has nowhere to dead-letter
	// to, so a message that reached its limit there would be dropped.
	parkedDeliveryLimit int64 = 1_000_000
)

// standard is the scheme Standard. The plan has been checked.
func standard(p Plan) Topology {
	var t Topology
	t.Queues = append(t.Queues, p.mainQueue())
	for _, delay := range p.Delays {
		t.Queues = append(t.Queues, Queue{
			Name:  RetryQueue(p.Queue, delay),
			Role:  RoleRetry,
			Delay: delay,
			Arguments: p.arguments(p.deadLetterTo(p.Queue), map[string]any{
				"x-message-ttl": delay.Milliseconds(), // and never x-expires, which deletes the messages too
			}),
		})
	}
	if p.quarantines() {
		t.Queues = append(t.Queues, Queue{
			Name: QuarantineQueue(p.Queue), Role: RoleQuarantine,
			Arguments: p.arguments(p.deadLetterTo(p.ErrorQueue), p.deliveryLimit(deliveryLimit)),
		})
	}
	t.Queues = append(t.Queues, Queue{
		Name:      p.ErrorQueue,
		Role:      RoleError,
		Arguments: p.arguments(p.deliveryLimit(parkedDeliveryLimit)), // no TTL and no limit of length
	})

	for _, b := range p.Bindings {
		t.bind(p.Queue, b)
	}
	return t
}

// quarantines says whether there is a quarantine queue: where deliveries are counted, and an order that was asked
// for is not broken by it.
func (p Plan) quarantines() bool { return p.Scheme == Standard && p.Type == Quorum && !p.SingleActive }

func (p Plan) mainQueue() Queue {
	arguments := p.arguments(p.deadLetterTo(p.ErrorQueue), p.deliveryLimit(deliveryLimit))
	if p.SingleActive {
		arguments["x-single-active-consumer"] = true
	}
	maps.Copy(arguments, p.Arguments)
	return Queue{Name: p.Queue, Role: RoleMain, Arguments: arguments}
}

// arguments are those that every queue has, and more.
func (p Plan) arguments(more ...map[string]any) map[string]any {
	all := map[string]any{
		"x-queue-type": string(p.Type), // explicit, since a virtual host can have another default
		// A full queue refuses what is published. The default, drop-head, deletes
		// messages that were confirmed; and without this, at-least-once is at-most-once
		// and nobody says so (https://www.rabbitmq.com/docs/quorum-queues#activating-at-least-once-dead-lettering).
		// No queue here has a limit, but a policy can give it one.
		"x-overflow": "reject-publish",
	}
	if p.GroupSize > 0 {
		all["x-quorum-initial-group-size"] = int64(p.GroupSize)
	}
	for _, m := range more {
		maps.Copy(all, m)
	}
	return all
}

// deadLetterTo sends what leaves a queue unacknowledged to another one, through
// the default exchange.
func (p Plan) deadLetterTo(queue string) map[string]any {
	to := map[string]any{
		"x-dead-letter-exchange":    "",
		"x-dead-letter-routing-key": queue,
	}
	if p.Type == Quorum {
		to["x-dead-letter-strategy"] = "at-least-once"
	}
	return to
}

// deliveryLimit is for quorum queues; the others count no deliveries.
func (p Plan) deliveryLimit(n int64) map[string]any {
	if p.Type != Quorum {
		return nil
	}
	return map[string]any{"x-delivery-limit": n}
}
