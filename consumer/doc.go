// Package consumer runs a function for each message of a queue and carries out what the function
// says: ack, retry later, or park in the error queue.
//
//	fx.New(
//		connection.Module, consumer.Module,
//		fx.Provide(connection.ConfigFromEnv), // AMQP_URL
//		consumer.Provide(Orders),
//	).Run()
//
//	// Orders tries an order six times: again after ten seconds, and then after a minute each.
//	func Orders() consumer.Spec {
//		return consumer.Spec{
//			Queue:      "orders",
//			MaxRetries: 5,
//			Backoff:    []time.Duration{10 * time.Second, time.Minute},
//			Handler:    consumer.JSON(Handle),
//		}
//	}
//
//	func Handle(ctx context.Context, msg consumer.Message[Order]) consumer.Result {
//		if msg.Payload.Email == "" {
//			return consumer.Error(errors.New("order has no email")) // to the queue orders-error
//		}
//		if err := send(ctx, msg.Payload); err != nil {
//			return consumer.Retry(err) // later
//		}
//		return consumer.Ack() // done
//	}
//
// A user writes a [Handler], usually through [JSON], and a [Spec]. A [Consumer] declares the
// queues, runs the handler with bounded concurrency and a timeout, and settles each message. The
// copy of a message that is retried or parked is published and confirmed before the message is
// acked, so no fault loses a message. A message may be handled twice, so handlers should be
// idempotent.
//
// One delivery flows one way through the files of this package:
//
//	intake -> delivery -> pool -> handle -> attempt -> settle -> report
//
// Package internal/decide says what is to be done about it, before and after the attempt.
// docs/DESIGN.md has the whole path, and says which goroutine writes what.
package consumer
