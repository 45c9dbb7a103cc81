// Package statsd reports deliveries to StatsD under the names that Clojure's Bunnicula uses, so
// that its dashboards keep working:
//
//	<consumer>              timing   how long the handler ran, in milliseconds
//	<consumer>.success      counter  acked
//	<consumer>.retry        counter  the handler asked for a retry without an error
//	<consumer>.error        counter  the handler said that the message cannot succeed
//	<consumer>.timeout      counter  the handler ran past its timeout, or returned Timeout
//	<consumer>.fail         counter  a retry with an error, the zero Result, a panic, an undecodable
//	                                 body, a message that crashed or whose copy was refused
//
// As in Clojure, .retry, .timeout and .fail count an attempt also when no retry was left, and a
// delivery that counts .fail has no timing. The time includes the decoding of the body, which it
// does not in Clojure.
//
// Each delivery counts one of these five, or one of these two, which Clojure does not have:
//
//	<consumer>.snooze       counter  the message waits; no attempt was used
//	<consumer>.interrupted  counter  shutdown cancelled the handler; the message is back
//
// A parked message also counts, whatever the reason:
//
//	<consumer>.parked       counter  the message is in the error queue
//
// Dots in a consumer's name are kept, and make levels. White space, control characters and the
// protocol's own : | @ # become _. A consumer without a name has the name of its queue.
//
// In an fx app, add [Module] and supply a [Config]. Elsewhere, [New] and Close.
package statsd
