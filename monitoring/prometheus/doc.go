// Package prometheus keeps metrics of deliveries, consumers and connections for Prometheus.
//
// Of each delivery:
//
//	bunnicula_deliveries_total          counter    consumer, action, reason  settled deliveries
//	bunnicula_handler_duration_seconds  histogram  consumer, action          handler's run time
//	bunnicula_message_age_seconds       histogram  consumer, action          publish until the end
//	bunnicula_message_attempts          histogram  consumer, action          attempts until the end
//
// The end is the ack, or the parking. The actions and reasons are those of package monitoring. The
// age is based on the message's timestamp, which AMQP gives in whole seconds and which the clock of
// another host may have set. A message without one, or with one above the year 9999, as of a
// producer that writes milliseconds, has no age. No label holds what is in a message, so there are
// as many series as consumers, whatever routing keys, types and errors there are. Consumers with
// the same name on different connections are counted together here.
//
// Of each consumer, with the labels connection and consumer, at the moment of the scrape. The label
// connection is Spec.Connection. It is empty unless the consumer uses a connection.Named;
// Prometheus treats an empty label as an absent one.
//
//	bunnicula_consumer_up               gauge    1 if it is subscribed or paused, and not wedged
//	bunnicula_consumer_handlers         gauge    handlers that run
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
// In an fx application, add [Module]; the default registry then has the metrics, which
// promhttp.Handler serves. Elsewhere call [New] and [Monitor.Watch].
package prometheus
