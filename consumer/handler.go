package consumer

import (
	"context"
	"errors"
	"fmt"

	"github.com/bunnicula-go/bunnicula/publisher"
)

// Handler handles one delivery. It should return soon after ctx is cancelled, which
// happens at Spec.Timeout and near the end of a stop. It is called from many goroutines at
// once. A panic, or runtime.Goexit, is a retry.
type Handler func(ctx context.Context, d Delivery) Result

// JSON makes a Handler of a function that takes decoded JSON. A body that is not JSON,
// or does not fit T, is parked as undecodable without a retry.
func JSON[T any](h func(ctx context.Context, msg Message[T]) Result) Handler {
	return Decode(publisher.JSON, h)
}

// Decode is JSON with another codec. A nil h or codec makes a nil Handler, which New refuses.
func Decode[T any](codec publisher.Codec, h func(ctx context.Context, msg Message[T]) Result) Handler {
	if h == nil || codec == nil {
		return nil
	}
	return func(ctx context.Context, d Delivery) Result {
		msg := Message[T]{Delivery: d}
		if err := decodeBody(codec, d.Body, &msg.Payload); err != nil {
			return undecodable(err)
		}
		return h(ctx, msg)
	}
}

// FromError makes a handler function of one that returns an error: nil acks, Permanent
// parks, After and SnoozeFor wait, and anything else is retried.
func FromError[T any](h func(ctx context.Context, msg Message[T]) error) func(context.Context, Message[T]) Result {
	if h == nil {
		return nil
	}
	return func(ctx context.Context, msg Message[T]) Result { return resultOf(h(ctx, msg)) }
}

// decodeBody takes a panicking codec for one that cannot decode.
func decodeBody(codec publisher.Codec, body []byte, payload any) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("codec panicked: %v", p)
		}
	}()
	err = codec.Decode(body, payload)
	if err != nil && err.Error() == "" {
		return errors.New("the codec gave no reason")
	}
	return err
}
