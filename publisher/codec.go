package publisher

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Codec turns payloads into bodies and back. Publishers encode with it and consumers
// decode; protobuf, Avro or msgpack is a type with these three methods
// (examples/protobuf).
type Codec interface {
	// ContentType goes into the message's property of that name.
	ContentType() string
	// Encode makes the body.
	Encode(payload any) ([]byte, error)
	// Decode fills what payload points to: a *T for handlers of Message[T], so a **M for those
	// of Message[*M], which it has to make. It must not keep body.
	Decode(body []byte, payload any) error
}

// JSON is the default codec, encoding/json with its rules.
var JSON Codec = jsonCodec{}

// Raw passes bytes on. It encodes []byte and string, and decodes into *[]byte and *string.
var Raw Codec = rawCodec{}

type jsonCodec struct{}

func (jsonCodec) ContentType() string                { return "application/json" }
func (jsonCodec) Encode(payload any) ([]byte, error) { return json.Marshal(payload) }

func (jsonCodec) Decode(body []byte, payload any) error {
	if len(bytes.TrimSpace(body)) == 0 {
		return fmt.Errorf("the body is empty: %w", io.ErrUnexpectedEOF)
	}
	return json.Unmarshal(body, payload)
}

type rawCodec struct{}

func (rawCodec) ContentType() string { return "application/octet-stream" }

func (rawCodec) Encode(payload any) ([]byte, error) {
	switch p := payload.(type) {
	case []byte:
		return p, nil
	case string:
		return []byte(p), nil
	}
	return nil, fmt.Errorf("publisher.Raw encodes []byte and string, not %T", payload)
}

func (rawCodec) Decode(body []byte, payload any) error {
	switch p := payload.(type) {
	case *[]byte:
		*p = bytes.Clone(body)
	case *string:
		*p = string(body)
	case nil:
		return errors.New("publisher.Raw decodes into *[]byte and *string, not nil")
	default:
		return fmt.Errorf("publisher.Raw decodes into *[]byte and *string, not %T", payload)
	}
	return nil
}
