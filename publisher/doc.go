// Package publisher sends messages and knows that they are safe.
//
// [Publisher.Publish] returns nil only when the broker has confirmed the message and
// put it into a queue. Messages are published mandatory and persistent, with an id, a
// timestamp and a content type. Across a lost connection they are sent
// again, with the same id, until the caller's context ends.
package publisher
