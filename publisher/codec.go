package publisher

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"strings"

	"github.com/bunnicula-go/bunnicula/internal/foreign"
	"github.com/bunnicula-go/bunnicula/internal/sending"
)

// Codec turns payloads into bodies and back. Publishers encode with it, and consumers decode. A
// codec for protobuf, Avro or msgpack is a type with these two methods (examples/protobuf,
// examples/avro). So is a compression that wraps another Codec: see codec.Gzip.
type Codec interface {
	// Encode makes the body and its content type.
	Encode(payload any) (Body, error)
	// Decode sets what payload points to. payload is a *T for handlers of Message[T]; for handlers
	// of Message[*M] it is a **M, and Decode allocates the M. Decode must not keep b.
	Decode(b Body, payload any) error
}

// Body is an encoded payload. ContentType and ContentEncoding are the properties of the message
// with these names; an Option that sets one of them wins. Encode adds Headers to those of the
// message. Decode gets all headers of the user in Headers. Headers may be nil.
type Body struct {
	Bytes                        []byte
	ContentType, ContentEncoding string
	Headers                      map[string]any
}

// JSON is the default codec: encoding/json with its rules. The error for a body that it cannot
// decode names the content type of the message, unless that is JSON in UTF-8 and the body begins
// as JSON does.
var JSON Codec = jsonCodec{}

// StrictJSON is JSON that decodes fewer bodies. It refuses an object with a field that the payload
// does not have, a body that is null, and, as JSON does, whatever follows the value. Otherwise
// {"number": 7} becomes the zero value of a struct without such a field.
//
// It matches names as encoding/json does, whatever their case, so {"NUMBER": 7} sets a field
// Number: nothing is left out by that. If a name comes twice the last value counts. A field that is
// missing keeps its zero value; give the payload a method Validate where that is wrong (see
// consumer.Decode). A type with an UnmarshalJSON of its own decides for itself.
var StrictJSON Codec = jsonCodec{strict: true}

// Raw copies bytes. It encodes []byte and string, and decodes into *[]byte and *string.
var Raw Codec = rawCodec{}

// encoder returns the part of a Codec that publishing needs.
func encoder(c Codec) sending.Encode {
	if c == nil {
		return nil
	}
	return func(payload any) (sending.Encoded, error) {
		b, err := c.Encode(payload)
		return sending.Encoded(b), err
	}
}

type jsonCodec struct{ strict bool }

const typeJSON = "application/json"

func (jsonCodec) Encode(payload any) (Body, error) {
	body, err := json.Marshal(payload)
	return Body{Bytes: body, ContentType: typeJSON}, err
}

func (c jsonCodec) Decode(b Body, payload any) error {
	var err error
	switch {
	case len(bytes.TrimSpace(b.Bytes)) == 0:
		err = fmt.Errorf("the body is empty: %w", io.ErrUnexpectedEOF)
	case c.strict:
		err = decodeStrictly(b.Bytes, payload)
	default:
		err = json.Unmarshal(b.Bytes, payload)
	}
	if err != nil && b.ContentType != "" && !(saysJSON(b.ContentType) && looksLikeJSON(b.Bytes)) {
		return fmt.Errorf("content type %s: %w", foreign.Word(b.ContentType), err)
	}
	return err
}

// ContentTypes is for codec.ByContentType.
func (jsonCodec) ContentTypes() []string { return []string{typeJSON} }

// decodeStrictly is json.Unmarshal for StrictJSON.
func decodeStrictly(body []byte, payload any) error {
	if string(bytes.TrimSpace(body)) == "null" {
		return errors.New("the body is null")
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(payload); err != nil {
		return err
	}
	if end := d.InputOffset(); len(bytes.TrimSpace(body[end:])) > 0 {
		return fmt.Errorf("the JSON value ends at byte %d, and more follows", end)
	}
	return nil
}

// looksLikeJSON returns whether a body begins as JSON does. One that is compressed, marked with a
// byte order or encoded otherwise does not; an empty one does.
func looksLikeJSON(body []byte) bool {
	body = bytes.TrimLeft(body, " \t\r\n")
	return len(body) == 0 || bytes.IndexByte([]byte(`{["-0123456789tfn`), body[0]) >= 0
}

// saysJSON is true for an empty content type, for JSON in UTF-8, and for bytes of an unknown kind.
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

// ContentTypes is for codec.ByContentType.
func (rawCodec) ContentTypes() []string { return []string{sending.Bytes} }

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
