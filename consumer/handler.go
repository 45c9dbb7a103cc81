package consumer

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/bunnicula-go/bunnicula/internal/wire"
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
		if err := decodeBody(codec, bodyOf(d), &msg.Payload); err != nil {
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

// bodyOf is what a codec sees of a delivery.
func bodyOf(d Delivery) publisher.Body {
	return publisher.Body{Bytes: d.Body, ContentType: d.ContentType, ContentEncoding: d.ContentEncoding, Headers: d.Headers}
}

// decodeBody takes a panicking codec for one that cannot decode. Its error says what the message claims, or
// shows, to be other than plain: most bodies that do not decode are compressed, or in another encoding of text.
func decodeBody(codec publisher.Codec, body publisher.Body, payload any) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("codec panicked: %v", p)
		}
	}()
	err = codec.Decode(body, payload)
	if err == nil {
		return nil
	}
	if err.Error() == "" {
		err = errors.New("the codec gave no reason")
	}
	if mark := byteOrderMark(body.Bytes); mark != "" {
		err = fmt.Errorf("the body begins with a byte order mark of %s: %w", mark, err)
	}
	if body.ContentEncoding != "" {
		// Not quoted where that is possible: what is quoted does not tell failures apart.
		err = fmt.Errorf("content encoding %s: %w", wire.Word(body.ContentEncoding), err)
	}
	return err
}

// byteOrderMark names the encoding of text that a body begins with the mark of, or is "".
func byteOrderMark(body []byte) string {
	for _, m := range []struct{ mark, name string }{
		{"\xef\xbb\xbf", "UTF-8"}, {"\xff\xfe", "little-endian UTF-16"}, {"\xfe\xff", "big-endian UTF-16"},
	} {
		if bytes.HasPrefix(body, []byte(m.mark)) {
			return m.name
		}
	}
	return ""
}
