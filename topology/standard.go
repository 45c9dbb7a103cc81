package topology

import "maps"

const (
	// deliveryLimit parks a message that is returned again and again, if the crash guard does not.
	// It is finite, because -1 means no limit on RabbitMQ 4.0 and a limit of zero on 3.10. It is
	// explicit, because the brokers' defaults differ too.
	deliveryLimit int64 = 100

	// parkedDeliveryLimit is so high that no message reaches it. An error queue has no dead-letter
	// exchange, so it would drop a message at the limit.
	parkedDeliveryLimit int64 = 1_000_000
)

// standard returns the topology of a checked plan of the scheme Standard.
func standard(p Plan) Topology {
	var t Topology
	t.Queues = append(t.Queues, p.mainQueue())
	for _, delay := range p.Delays {
		t.Queues = append(t.Queues, Queue{
			Name:  RetryQueue(p.Queue, delay),
			Role:  RoleRetry,
			Delay: delay,
			Arguments: p.arguments(p.deadLetterTo(p.Queue), map[string]any{
				"x-message-ttl": delay.Milliseconds(), // x-expires would delete the messages
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
		Arguments: p.arguments(p.deliveryLimit(parkedDeliveryLimit)), // no TTL and no length limit
	})

	for _, b := range p.Bindings {
		t.bind(p.Queue, b)
	}
	return t
}

// quarantines says whether there is a quarantine queue. Only quorum queues count deliveries, and
// the messages of a single active consumer would lose their order.
func (p Plan) quarantines() bool { return p.Scheme == Standard && p.Type == Quorum && !p.SingleActive }

func (p Plan) mainQueue() Queue {
	arguments := p.arguments(p.deadLetterTo(p.ErrorQueue), p.deliveryLimit(deliveryLimit))
	if p.SingleActive {
		arguments["x-single-active-consumer"] = true
	}
	maps.Copy(arguments, p.Arguments)
	return Queue{Name: p.Queue, Role: RoleMain, Arguments: arguments}
}

// arguments returns the arguments that every queue has, merged with more.
func (p Plan) arguments(more ...map[string]any) map[string]any {
	all := map[string]any{
		"x-queue-type": string(p.Type), // explicit: a virtual host can have another default
		// A full queue refuses new messages. The default, drop-head, would delete confirmed
		// messages. Without reject-publish the broker also dead-letters at most once, whatever the
		// strategy says, and does not report it
		// (https://www.rabbitmq.com/docs/quorum-queues#activating-at-least-once-dead-lettering). No
		// queue here has a length limit, but a policy can set one.
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

// deadLetterTo makes a queue dead-letter to another one through the default exchange.
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

// deliveryLimit is for quorum queues only: classic ones do not count deliveries.
func (p Plan) deliveryLimit(n int64) map[string]any {
	if p.Type != Quorum {
		return nil
	}
	return map[string]any{"x-delivery-limit": n}
}
