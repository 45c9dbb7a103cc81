// Package publishertest has a Publisher for tests.
package publishertest

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/sending"
	"github.com/bunnicula-go/bunnicula/publisher"
)

// Recorder is a Publisher that keeps messages instead of sending them. It refuses bad input with
// the same errors as publisher.Client: a payload that cannot be encoded, or a message that is too
// large. The zero value is ready. Set the fields before the first publish. A Recorder is safe for
// use by many goroutines at once.
type Recorder struct {
	// Err is the error of each publish. If it is set, nothing is recorded.
	//
	// Defaults to nil: the message is recorded.
	Err error

	// ErrFor returns the error of a publish with this routing key, which is the queue also if the
	// message has a delay. It is called if Err is nil.
	//
	// Defaults to no error for any routing key.
	ErrFor func(routingKey string) error

	// Config is the Config of the Client that the Recorder replaces.
	//
	// Defaults to the zero Config.
	Config publisher.Config

	mu       sync.Mutex
	messages []Message
}

var _ publisher.Publisher = (*Recorder)(nil)

// Message is a message that was published: the form in which a Client would have sent it, and the
// payload of which it was made.
type Message struct {
	Exchange        string
	RoutingKey      string
	NotMandatory    bool
	amqp.Publishing     // Headers, MessageId, Body and the other properties
	Payload         any // as it was given to Publish

	// Queue is the queue that a message with a delay is for, and Due is when it is due. RoutingKey
	// then names the retry queue in which it waits. They are zero for other messages.
	Queue string
	Due   time.Time
}

func message(env sending.Envelope, payload any) Message {
	m := Message{Exchange: env.Exchange, RoutingKey: env.RoutingKey, NotMandatory: env.NotMandatory, Publishing: env.Publishing, Payload: payload}
	if env.Delayed != nil {
		m.Queue, m.Due = env.Delayed.Queue, env.Delayed.Due
	}
	return m
}

// build makes the same message as a Client with the Recorder's Config.
func (r *Recorder) build(routingKey string, payload any, opts []publisher.Option) (sending.Envelope, error) {
	codec := cmp.Or(r.Config.Codec, publisher.JSON)
	encode := func(payload any) (sending.Encoded, error) {
		body, err := codec.Encode(payload)
		return sending.Encoded(body), err
	}
	rules := sending.Rules{Exchange: r.Config.Exchange, Encode: encode, MaxBody: r.Config.MaxBody}
	return sending.Build(rules, routingKey, payload, opts)
}

// Messages returns all messages so far, in order.
func (r *Recorder) Messages() []Message {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.messages)
}

// Sent returns the messages with this routing key, in order, and those with a delay that are for
// the queue of that name.
func (r *Recorder) Sent(routingKey string) []Message {
	return slices.DeleteFunc(r.Messages(), func(m Message) bool { return m.RoutingKey != routingKey && m.Queue != routingKey })
}

// Reset forgets all messages.
func (r *Recorder) Reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.messages = nil
}

// Publish records the message.
func (r *Recorder) Publish(ctx context.Context, routingKey string, payload any, opts ...publisher.Option) error {
	env, err := r.build(routingKey, payload, opts)
	if err != nil {
		return err
	}
	return r.record(ctx, message(env, payload))
}

// PublishAsync records the message. Its Confirmation is done at once, and has the error of Err or
// ErrFor.
func (r *Recorder) PublishAsync(ctx context.Context, routingKey string, payload any, opts ...publisher.Option) (publisher.Confirmation, error) {
	env, err := r.build(routingKey, payload, opts)
	if err != nil {
		return nil, err
	}
	if ctx.Err() != nil {
		return nil, notSent(ctx, routingKey)
	}
	return confirmation{env.MessageId, r.record(ctx, message(env, payload))}, nil
}

// PublishBatch records each message that has no error. If the input is bad, it records none.
func (r *Recorder) PublishBatch(ctx context.Context, messages ...publisher.Message) error {
	envs, bad := sending.BuildBatch(len(messages), func(i int) (sending.Envelope, error) {
		return r.build(messages[i].RoutingKey, messages[i].Payload, messages[i].Options)
	})
	if bad != nil {
		return &publisher.BatchError{Errs: bad, Of: len(messages)}
	}
	failures := publisher.BatchError{Errs: map[int]error{}, Of: len(messages)}
	for i, env := range envs {
		if err := r.record(ctx, message(env, messages[i].Payload)); err != nil {
			failures.Errs[i] = err
		}
	}
	if len(failures.Errs) > 0 {
		return &failures
	}
	return nil
}

func (r *Recorder) record(ctx context.Context, m Message) error {
	key := cmp.Or(m.Queue, m.RoutingKey) // as the caller has it
	if ctx.Err() != nil {
		return notSent(ctx, key)
	}
	err := r.Err
	if err == nil && r.ErrFor != nil {
		err = r.ErrFor(key)
	}
	if err != nil {
		return fmt.Errorf("publisher: publish to %q: %w", key, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.messages = append(r.messages, m)
	return nil
}

func notSent(ctx context.Context, routingKey string) error {
	return fmt.Errorf("publisher: publish to %q: not sent: %w", routingKey, context.Cause(ctx))
}

// confirmation is a Confirmation that is done.
type confirmation struct {
	id  string
	err error
}

var done = func() chan struct{} { c := make(chan struct{}); close(c); return c }()

func (confirmation) Done() <-chan struct{} { return done }
func (c confirmation) Err() error          { return c.err }
func (c confirmation) MessageID() string   { return c.id }
