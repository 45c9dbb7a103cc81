// Package prometheus keeps metrics of deliveries, consumers and connections for Prometheus.
//
// Of each delivery:
//
//	bunnicula_deliveries_total          counter    consumer, action, reason  settled deliveries
//	bunnicula_handler_duration_seconds  histogram  consumer, action          handler's run time
//	bunnicula_message_age_seconds       histogram  consumer, action          age until the end
//	bunnicula_message_attempts          histogram  consumer, action          attempts until the end
//
// The end is the ack, or the parking. The actions and reasons are those of package monitoring. The
// age counts from [monitoring.Delivery.Since]: from the message's timestamp, which AMQP gives in
// whole seconds and which the clock of another host may have set; or, if that is later, from when a
// message with a delay was due, or a parked one redriven. A message without any of them, or with a
// timestamp above the year 9999, as of a producer that writes milliseconds, has no age. No label
// holds what is in a message, so there are
// as many series as consumers, whatever routing keys, types and errors there are. Consumers with
// the same name on different connections are counted together here.
//
// Of each consumer, with the labels connection and consumer, at the moment of the scrape. The label
// connection is Spec.Connection. It is empty unless the consumer uses a connection.Named;
// Prometheus treats an empty label as an absent one.
//
//	bunnicula_consumer_up               gauge    1 if it is subscribed or paused, and not wedged
//	bunnicula_consumer_handlers         gauge    handlers that run
//	bunnicula_consumer_handlers_limit   gauge    how many handlers may run at once
//	bunnicula_consumer_handlers_stuck   gauge    handlers past their timeout and grace
//	bunnicula_consumer_monitors_blocked gauge    calls of a monitor that do not return
//	bunnicula_consumer_copies_blocked   gauge    copies that the broker has not confirmed
//	bunnicula_consumer_unreadable       gauge    messages held that the client cannot read
//	bunnicula_consumer_refused          gauge    messages held whose copies the broker refuses
//	bunnicula_consumer_slow             gauge    1 while a suspected message is handled alone
//	bunnicula_consumer_stale_acks_total counter  acks dropped because their session had ended
//
// And of each connection, with the labels connection and purpose:
//
//	bunnicula_connection_up             gauge    1 if it is connected, 0 if it should be
//	bunnicula_connection_blocked        gauge    1 while the broker takes no messages
//	bunnicula_connection_lost_total     counter  how often it was lost
//
// The series of a consumer that consumer.Group.Remove has taken out are gone from the next scrape
// on, but for those of deliveries, which stay until [Monitor.Forget].
//
// And of control.EventsModule, if the app has it, with the label exchange:
//
//	bunnicula_events_published_total    counter  events that the broker has confirmed
//	bunnicula_events_dropped_total      counter  events that were dropped
//
// And of outbox.Module, if the app has it. The first two are of the database, so each process that
// has the Box tells the same; the others are of this process:
//
//	bunnicula_outbox_rows{state}        gauge    rows: waiting, delayed, held, failed, sent, done, parked
//	bunnicula_outbox_oldest_seconds     gauge    how long the row has waited that was due first
//	bunnicula_outbox_published_total    counter  rows that the broker has confirmed
//	bunnicula_outbox_refused_total      counter  refusals of rows, several of one row perhaps
//	bunnicula_outbox_given_up_total     counter  rows that have failed after MaxAttempts
//	bunnicula_outbox_relay_errors_total counter  errors of the database and of the connection
//
// In an fx application, add [Module]; the default registry then has the metrics, which
// promhttp.Handler serves. Elsewhere call [New] and [Monitor.Watch].
package prometheus
