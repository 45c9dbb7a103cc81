package consumer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"reflect"

	"github.com/bunnicula-go/bunnicula/internal/foreign"
	"github.com/bunnicula-go/bunnicula/internal/inflate"
	"github.com/bunnicula-go/bunnicula/publisher"
)

// Handler handles one delivery and says what is to be done about it. It is called from up to
// Spec.Concurrency goroutines at once. ctx is cancelled when Spec.Timeout has passed, and near the
// end of a stop; a Handler should return soon after that. A panic, or runtime.Goexit, is a retry.
type Handler func(ctx context.Context, d Delivery) Result

// JSON makes a Handler of a function that takes decoded JSON. A message whose body is not JSON, or
// does not fit T, is parked as undecodable without a retry. It takes fields that T does not have,
// and leaves them out; StrictJSON does not. If T has a method Validate, see Decode. A nil h makes a
// nil Handler, which New refuses.
func JSON[T any](h func(ctx context.Context, msg Message[T]) Result) Handler {
	return Decode(publisher.JSON, h)
}

// StrictJSON is JSON that also parks an object with a field that T does not have, and a body that is
// null. With JSON, {"number": 7} is the zero value of a T without that field. See
// publisher.StrictJSON for what it matches.
func StrictJSON[T any](h func(ctx context.Context, msg Message[T]) Result) Handler {
	return Decode(publisher.StrictJSON, h)
}

// Decode is JSON with another codec. A nil h or codec makes a nil Handler, which New refuses. A
// codec that panics is one that cannot decode the body.
//
// If T or *T has a method Validate() error, it is called when the body is decoded. A message whose
// payload it refuses, or over which it panics, is parked as undecodable with the text of that
// error, and h is not called. So is a nil *M for handlers of Message[*M] whose Validate needs more
// than nil. What may be right later, such as an order that is not there yet, is not for Validate: h
// can return Retry.
func Decode[T any](codec publisher.Codec, h func(ctx context.Context, msg Message[T]) Result) Handler {
	if h == nil || codec == nil {
		return nil
	}
	return func(ctx context.Context, d Delivery) Result {
		msg := Message[T]{Delivery: d}
		err := decodeBody(codec, bodyOf(d), &msg.Payload)
		if err == nil {
			err = validate(&msg.Payload)
		}
		if err != nil {
			return undecodable(err)
		}
		return h(ctx, msg)
	}
}

// FromError makes a function for JSON or Decode of one that returns an error. nil is Ack, Permanent
// is Error, After is RetryAfter, SnoozeFor is Snooze, and any other error is Retry. It is ResultOf.
func FromError[T any](h func(ctx context.Context, msg Message[T]) error) func(context.Context, Message[T]) Result {
	if h == nil {
		return nil
	}
	return func(ctx context.Context, msg Message[T]) Result { return ResultOf(h(ctx, msg)) }
}

// bodyOf returns what a codec sees of a delivery.
func bodyOf(d Delivery) publisher.Body {
	return publisher.Body{Bytes: d.Body, ContentType: d.ContentType, ContentEncoding: d.ContentEncoding, Headers: d.Headers}
}

// decodeBody decodes the body. A panic of the codec becomes an error. The error names the content
// encoding and a byte order mark, because most bodies that do not decode are compressed or in
// another encoding of text. A content encoding that the codec has undone is not named.
func decodeBody(codec publisher.Codec, body publisher.Body, payload any) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("codec panicked: %s", foreign.Panic(p))
		}
	}()
	err = codec.Decode(body, payload)
	if err == nil {
		return nil
	}
	if inside, ok := err.(*inflate.PlainError); ok { //nolint:errorlint // what wraps it may say something of the encoding
		err, body.Bytes, body.ContentEncoding = inside.Err, inside.Body, inside.Rest
	}
	if foreign.Text(err, foreign.MaxText) == "" {
		err = errors.New("the codec gave no reason")
	}
	if mark := byteOrderMark(body.Bytes); mark != "" {
		err = fmt.Errorf("the body begins with a byte order mark of %s: %w", mark, err)
	}
	if body.ContentEncoding != "" {
		// A word is not quoted, because quoted text does not count when failures are grouped.
		err = fmt.Errorf("content encoding %s: %w", foreign.Word(body.ContentEncoding), err)
	}
	return err
}

// validate calls the method Validate of a payload, if it has one. A panic of it becomes an error.
func validate[T any](payload *T) (err error) {
	v, ok := any(payload).(interface{ Validate() error })
	if kind := reflect.TypeFor[T]().Kind(); !ok && (kind == reflect.Pointer || kind == reflect.Interface) {
		v, ok = any(*payload).(interface{ Validate() error })
	}
	if !ok {
		return nil
	}
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("Validate panicked: %s", foreign.Panic(p))
		}
	}()
	if err = v.Validate(); err != nil {
		err = fmt.Errorf("invalid payload: %w", foreign.Safe(err))
	}
	return err
}

// byteOrderMark returns the name of the encoding whose mark the body begins with, or "".
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
