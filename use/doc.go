// Package use has middleware and handlers for what most consumers meet: an API that limits the rate
// of requests, an API that is down, work that is too old, and errors that are none.
//
//	func Payments(api API, tenants use.Limiter) consumer.Spec {
//		return consumer.Spec{
//			Queue: "payments", Concurrency: 50, Delays: topology.Ladder,
//			Use: []consumer.Middleware{ // the first is outermost
//				use.MaxAge(24 * time.Hour),
//				use.Breaker{Failures: 10, Rest: 10 * time.Second}.New(),
//				use.RatePerKey(tenants, func(d consumer.Delivery) string { return d.AppID }),
//				use.TreatAsAck(func(err error) bool { return errors.Is(err, ErrPaidAlready) }),
//			},
//			Handler: consumer.JSON(api.Charge),
//		}
//	}
//
// The order matters. MaxAge is outermost, since it bounds how long the others have a message wait.
// The Breaker is outside of limits, so that a service that is down uses up no moments.
//
//	an API limits the rate of requests         Rate, RatePerKey, PerKey; package use/redis for a fleet
//	few at once for each customer              AtMost
//	an API is down for a while                 Breaker
//	work that is worth nothing after a day     MaxAge
//	an error says that it is done already      TreatAsAck
//	what HTTP answers, as a Result             CheckResponse, HTTPResult
//	failures that must not come back at once   Jitter
//	copies of a message are handled once       Dedupe; package use/redis for a fleet
//	whoever asks wants an answer               Reply
//	several kinds of messages in one queue     ByType
//	one transaction for many messages          Batch, JSONBatch, DecodeBatch
//
// # Words
//
// A message snoozes when it goes to a retry queue and uses no attempt. A slot is the place of one
// handler among Spec.Concurrency. A moment is when one handler may begin by a Limit. The line of a
// key is its messages that wait, and the place of a message is when it is expected to have its
// moment. Copies of a message have the same message id. A message claims its id while its handler
// runs, for a lease, and marks it when the handler has acked.
//
// # The rule of slots
//
// Whatever waits inside a handler spends its Timeout, holds one of the consumer's Concurrency
// slots, and keeps other messages from being taken. So each wait here takes at most five seconds,
// or a quarter of the time that the handler has left if that is less. Then the message snoozes, and
// comes again. The wait is part of the handler's duration in logs and metrics. Consumers need short
// retry queues for that: Spec.Delays of topology.Ladder, or at least of a second. Without them it
// snoozes for as long as the shortest Backoff, a minute unless set, and the log warns of a delay
// that is stretched.
package use
