// Package publishertest has a Publisher for tests.
package publishertest

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/sending"
	"github.com/bunnicula-go/bunnicula/publisher"
)

// Recorder is a Publisher that keeps messages instead of sending them. It treats bad input as
// publisher.Client does: what cannot be encoded or is too large is refused with the same error. The zero
// value is ready, and it is safe for use by many goroutines at once. Set its fields before.
type Recorder struct {
	// Err is what each publish ends with; nothing is recorded then.
	//
	// Defaults to nil: the message is recorded.
	Err error

	// ErrFor is asked when Err is nil.
	//
	// Defaults to no error for any routing key.
	ErrFor func(routingKey string) error

	// Config is that of the Client for which it stands in.
	//
	// Defaults to the zero Config.
	Config publisher.Config

	mu       sync.Mutex
	messages []Message
}

var _ publisher.Publisher = (*Recorder)(nil)

// Message is one that was published: as it would have gone over the wire, and what it
// was made of.
type Message struct {
	Exchange        string
	RoutingKey      string
	NotMandatory    bool
	amqp.Publishing     // Headers, MessageId, Body and the other properties
	Payload         any // as it was given to Publish
}

func message(env sending.Envelope, payload any) Message {
	return Message{env.Exchange, env.RoutingKey, env.NotMandatory, env.Publishing, payload}
}

// build is what a Client with the Recorder's Config does.
func (r *Recorder) build(routingKey string, payload any, opts []publisher.Option) (sending.Envelope, error) {
	codec := cmp.Or(r.Config.Codec, publisher.JSON)
	encode := func(payload any) (sending.Encoded, error) {
		body, err := codec.Encode(payload)
		return sending.Encoded(body), err
	}
	rules := sending.Rules{Exchange: r.Config.Exchange, Encode: encode, MaxBody: r.Config.MaxBody}
	return sending.Build(rules, routingKey, payload, opts)
}

// Messages are all so far, in order.
func (r *Recorder) Messages() []Message {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.messages)
}

// Sent are those with this routing key, in order.
func (r *Recorder) Sent(routingKey string) []Message {
	return slices.DeleteFunc(r.Messages(), func(m Message) bool { return m.RoutingKey != routingKey })
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

// PublishAsync records the message. Its Confirmation is done at once, and has the Err.
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

// PublishBatch records those messages that have no error, unless the input is bad: then none.
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
	if ctx.Err() != nil {
		return notSent(ctx, m.RoutingKey)
	}
	err := r.Err
	if err == nil && r.ErrFor != nil {
		err = r.ErrFor(m.RoutingKey)
	}
	if err != nil {
		return fmt.Errorf("publisher: publish to %q: %w", m.RoutingKey, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.messages = append(r.messages, m)
	return nil
}

func notSent(ctx context.Context, routingKey string) error {
	return fmt.Errorf("publisher: publish to %q: not sent: %w", routingKey, context.Cause(ctx))
}

// confirmation is one whose fate is known.
type confirmation struct {
	id  string
	err error
}

var done = func() chan struct{} { c := make(chan struct{}); close(c); return c }()

func (confirmation) Done() <-chan struct{} { return done }
func (c confirmation) Err() error          { return c.err }
func (c confirmation) MessageID() string   { return c.id }
