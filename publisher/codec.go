package publisher

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"strings"

	"github.com/bunnicula-go/bunnicula/internal/sending"
	"github.com/bunnicula-go/bunnicula/internal/wire"
)

// Codec turns payloads into bodies and back. Publishers encode with it and consumers
// decode; protobuf, Avro or msgpack is a type with these two methods
// (examples/protobuf), and so is a compression around another Codec.
type Codec interface {
	// Encode makes the body, and says what is in it.
	Encode(payload any) (Body, error)
	// Decode fills what payload points to: a *T for handlers of Message[T], so a **M for those
	// of Message[*M], which it has to make. It must not keep b.
	Decode(b Body, payload any) error
}

// Body is an encoded payload. ContentType and ContentEncoding are the message's properties of these names;
// those that an Option sets win. Headers are added to the message's by Encode, and are all of the user's in
// Decode; they may be nil.
type Body struct {
	Bytes                        []byte
	ContentType, ContentEncoding string
	Headers                      map[string]any
}

// JSON is the default codec, encoding/json with its rules. The error for a body that it cannot decode says
// what the message claims it to be, where that is not plain JSON in UTF-8.
var JSON Codec = jsonCodec{}

// Raw passes bytes on. It encodes []byte and string, and decodes into *[]byte and *string.
var Raw Codec = rawCodec{}

// encoder is the part of a Codec that publishing needs.
func encoder(c Codec) sending.Encode {
	if c == nil {
		return nil
	}
	return func(payload any) (sending.Encoded, error) {
		b, err := c.Encode(payload)
		return sending.Encoded(b), err
	}
}

type jsonCodec struct{}

const typeJSON = "application/json"

func (jsonCodec) Encode(payload any) (Body, error) {
	body, err := json.Marshal(payload)
	return Body{Bytes: body, ContentType: typeJSON}, err
}

func (jsonCodec) Decode(b Body, payload any) error {
	var err error
	if len(bytes.TrimSpace(b.Bytes)) == 0 {
		err = fmt.Errorf("the body is empty: %w", io.ErrUnexpectedEOF)
	} else {
		err = json.Unmarshal(b.Bytes, payload)
	}
	if err != nil && !saysJSON(b.ContentType) {
		return fmt.Errorf("content type %s: %w", wire.Word(b.ContentType), err)
	}
	return err
}

// saysJSON is true for no content type, for JSON in UTF-8, and for bytes of an unknown kind.
func saysJSON(contentType string) bool {
	switch contentType {
	case "", typeJSON, sending.Bytes:
		return true
	}
	kind, parameters, err := mime.ParseMediaType(contentType)
	charset, given := parameters["charset"]
	return err == nil && (kind == typeJSON || strings.HasSuffix(kind, "+json")) && (!given || strings.EqualFold(charset, "utf-8"))
}

type rawCodec struct{}

func (rawCodec) Encode(payload any) (Body, error) {
	b := Body{ContentType: sending.Bytes}
	switch p := payload.(type) {
	case []byte:
		b.Bytes = p
	case string:
		b.Bytes = []byte(p)
	default:
		return Body{}, fmt.Errorf("publisher.Raw encodes []byte and string, not %T", payload)
	}
	return b, nil
}

func (rawCodec) Decode(b Body, payload any) error {
	switch p := payload.(type) {
	case *[]byte:
		*p = bytes.Clone(b.Bytes)
	case *string:
		*p = string(b.Bytes)
	case nil:
		return errors.New("publisher.Raw decodes into *[]byte and *string, not nil")
	default:
		return fmt.Errorf("publisher.Raw decodes into *[]byte and *string, not %T", payload)
	}
	return nil
}
