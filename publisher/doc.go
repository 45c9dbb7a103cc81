// Package publisher publishes messages and waits for the broker's confirms.
//
// [Publisher.Publish] returns nil only when the broker has confirmed the message and put it into a
// queue. Messages are published mandatory and persistent, with an id, a timestamp and a content
// type. After a lost connection, unconfirmed messages are sent again, with the same id, until the
// caller's context ends.
package publisher
