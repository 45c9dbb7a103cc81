package outbox

import (
	"errors"

	"github.com/bunnicula-go/bunnicula/internal/sending"
	"github.com/bunnicula-go/bunnicula/publisher"
)

// ID is the message's id, and that of its row. Put of an id that the outbox has is ErrDuplicate, so
// an id that is made of the data, such as "welcome-" and a customer's number, is not put twice
// while its row is there. It is publisher.MessageID, but refuses an empty id.
//
// Defaults to a new UUIDv7. At most 255 bytes of UTF-8, without a NUL byte.
func ID(id string) publisher.Option {
	return func(d *sending.Draft) error {
		if id == "" {
			return errors.New("the id of outbox.ID is empty")
		}
		return publisher.MessageID(id)(d)
	}
}

// Key has the messages with this key published in the order in which they were put, by any number
// of relays. The order is that of transactions which lock the same row of yours before they Put,
// such as the customer's row whose id is the key: without that, which of two transactions was first
// is not defined.
//
// A message that is delayed, refused, held by After, or failed holds back those behind it in its
// key.
//
// The order ends at the queue. For messages that are handled in order too, add
// publisher.Partition with the same key, and consume with consumer.Partitioned:
//
//	err := box.Put(ctx, tx, "orders", o, outbox.Key(o.Customer), publisher.Partition(o.Customer, 16))
//
// Defaults to none: messages are published in no particular order. At most 255 bytes of UTF-8,
// without a NUL byte. An empty key is an error.
func Key(key string) publisher.Option {
	return func(d *sending.Draft) error {
		if key == "" {
			return errors.New("the key of outbox.Key is empty: leave the option out for a message without order")
		}
		d.Place.Key = key
		return nil
	}
}

// Job names the job that the message belongs to. Box.Job counts a job's messages by state. The row
// of such a message stays in the outbox until all messages of its job were handled by Once, and for
// Config.Keep after that. If one never is, the rows of the job stay.
//
// Defaults to none: the row is deleted when the message is published. At most 255 bytes of UTF-8,
// without a NUL byte. An empty name is an error.
func Job(name string) publisher.Option {
	return func(d *sending.Draft) error {
		if name == "" {
			return errors.New("the name of outbox.Job is empty: leave the option out for a message without a job")
		}
		d.Place.Job = name
		return nil
	}
}

// After holds the message until the one with this id is done: until Once has handled it. That one
// must have been put with Job, in an earlier transaction or in the same one; otherwise Put returns
// ErrUnknown. If it is done already, the message does not wait. A Delay is counted from Put.
//
// Defaults to none. A message needs one other at most: the last one of several options After
// counts. An empty id is an error.
func After(id string) publisher.Option {
	return func(d *sending.Draft) error {
		if id == "" {
			return errors.New("the id of outbox.After is empty")
		}
		d.Place.After = id
		return nil
	}
}
