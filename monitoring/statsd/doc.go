// Package statsd reports deliveries to StatsD, under the names that Clojure's Bunnicula
// gave them, so that its dashboards go on working:
//
//	<consumer>              timing   how long the handler ran, in milliseconds, if it ran
//	<consumer>.success      counter  acked
//	<consumer>.retry        counter  the handler asked for a retry, whether or not one was left
//	<consumer>.error        counter  the handler said that the message cannot succeed
//	<consumer>.timeout      counter  the handler ran past its timeout
//	<consumer>.fail         counter  exceptions: a panic, an undecodable body, a message that kills its process
//
// One of these five is counted for each delivery, or one of these two, which are new:
//
//	<consumer>.snooze       counter  the message waits, and no attempt was used
//	<consumer>.interrupted  counter  shutdown cancelled the handler; the message is back in its queue
//
// And in addition, whatever the cause:
//
//	<consumer>.parked       counter  the message is in the error queue
//
// Dots in a consumer's name are left alone and so make levels. White space, control
// characters and the protocol's own : | @ # become _. A consumer without a name is
// called by its queue.
//
// In an fx app, add [Module] and supply a [Config]. Elsewhere, [New] and Close.
package statsd
