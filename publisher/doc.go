// Package publisher publishes messages and waits for the broker's confirms.
//
// [Publisher.Publish] returns nil only when the broker has confirmed the message and put it into a
// queue. Messages are published mandatory and persistent, with an id, a timestamp and a content
// type. After a lost connection, unconfirmed messages are sent again, with the same id, until the
// caller's context ends.
//
// A queue that does not confirm, such as a quorum queue without majority, delays only its own
// messages. Messages to other queues may wait for about a second when it stops to confirm. That
// holds for up to 128 such queues at once. A message that the broker refuses fails by itself.
//
// With [Delay] or [At] a message is handled later, by a consumer that has topology.Ladder.
package publisher
