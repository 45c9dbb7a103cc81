package use

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/publisher"
)

// Batch makes a Handler of a function that handles several messages at once, such as one
// transaction for many rows. Calls of the consumer's workers meet: the first one waits for others,
// and then runs h for all of them. Result i is that of delivery i.
//
//	Handler: use.Batch(50, 100*time.Millisecond, insert), // with Concurrency: 100
//
// h runs when size messages are there, when wait has passed since the first one came, or when all
// of the consumer's workers are in batches, so that no further message can come. Set
// Spec.Concurrency to size or more; with less, batches have Concurrency messages, and a warning
// says so once. With a Concurrency of twice the size, one batch gathers while another runs. h may
// run several times at once: for Concurrency / size full batches, and for more that wait has ended
// early. wait obeys the rule of slots: it is a quarter of the time that a handler has left at most,
// and five seconds.
//
// What becomes of each message:
//
//	h returns or does                        what becomes of the messages
//	a Result for each                        to each what its own Result says; Result{} is a retry
//	more Results than messages, or fewer     all are retried, with an error that says how many
//	it has reordered the slice               all are retried, as nobody knows whose Result is whose
//	it panics, or calls runtime.Goexit       all are retried, as after a panic of their handlers
//	it returns when its context has ended    Ack, Snooze and an Error of its own count; else a timeout
//	it does not return                       all but the first are retried, half a second after its context has ended
//
// The first message's worker runs h. If h does not return, that worker is stuck, and Spec.WhenStuck
// says what becomes of its message.
//
// The context of h has the values of the first message's. It ends at the earliest deadline of the
// messages, and when the context of one of them is cancelled, as that of all is near the end of a
// stop. A message whose context ends before h has begun leaves the batch. One whose context ends
// later waits for h, for half a second, and then it is retried although its row may have been
// inserted; with consumer.Hold it waits for as long as h runs.
//
// h may change the bodies in place. It may keep the slice, but must leave its order as it is. It
// must not say Ack before the work is done: make Results when the transaction is committed.
//
// It does not promise an order, neither in a batch nor between batches, as workers race for it. So
// it is not for messages that must stay in order. It does not promise that no message is handled
// twice: a process that dies after a commit gets all of the batch again. A message that kills its
// process is handled alone after the second death, in a batch of one. A batch that nobody else
// joins begins when wait has passed, that one too. Middleware that has messages wait in their
// slots, such as Rate, keeps them from the batch for so long.
//
// The Handler belongs to one consumer. A size below 1, a wait of 0 or less, and a nil h are an
// error of consumer.New.
func Batch(size int, wait time.Duration, h func(context.Context, []consumer.Delivery) []consumer.Result) consumer.Handler {
	if err := checkBatch("use.Batch", size, wait, h == nil); err != nil {
		return consumer.Invalid(err)
	}
	return newBatcher(size, wait, h, func(d *consumer.Delivery) *consumer.Delivery { return d }).handle
}

// JSONBatch is Batch with decoded JSON. Each body is decoded, and validated, by its own worker
// before it meets others, as consumer.JSON does. A message that does not decode is parked alone,
// and h never sees it.
func JSONBatch[T any](size int, wait time.Duration, h func(context.Context, []consumer.Message[T]) []consumer.Result) consumer.Handler {
	return batchOf("use.JSONBatch", publisher.JSON, size, wait, h)
}

// DecodeBatch is JSONBatch with another codec, such as publisher.StrictJSON. See consumer.Decode. A
// nil codec is an error of consumer.New.
func DecodeBatch[T any](codec publisher.Codec, size int, wait time.Duration, h func(context.Context, []consumer.Message[T]) []consumer.Result) consumer.Handler {
	if codec == nil {
		return consumer.Invalid(errors.New("use.DecodeBatch: the codec is nil"))
	}
	return batchOf("use.DecodeBatch", codec, size, wait, h)
}

func batchOf[T any](name string, codec publisher.Codec, size int, wait time.Duration, h func(context.Context, []consumer.Message[T]) []consumer.Result) consumer.Handler {
	if err := checkBatch(name, size, wait, h == nil); err != nil {
		return consumer.Invalid(err)
	}
	b := newBatcher(size, wait, h, func(m *consumer.Message[T]) *consumer.Delivery { return &m.Delivery })
	return consumer.Decode(codec, b.handle)
}

// checkBatch names what is wrong. name is that of the function that was called.
func checkBatch(name string, size int, wait time.Duration, isNil bool) error {
	var wrong []error
	if size < 1 {
		wrong = append(wrong, fmt.Errorf("%s: size is %d, want 1 or more", name, size))
	}
	if wait <= 0 {
		wrong = append(wrong, fmt.Errorf("%s: wait is %s, want more than 0", name, wait))
	}
	if isNil {
		wrong = append(wrong, fmt.Errorf("%s: the function is nil", name))
	}
	return errors.Join(wrong...)
}
