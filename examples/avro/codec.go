package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/hamba/avro/v2"

	"github.com/bunnicula-go/bunnicula/publisher"
)

// Avro is a Codec for what fits one schema: structs with avro tags, maps, or single values.
type Avro struct{ Schema avro.Schema }

var _ publisher.Codec = Avro{}

// bounded decodes no array of more than a MiB. Otherwise a body of five bytes may say that it has
// billions of elements, for which memory is allocated first.
var bounded = avro.Config{MaxSliceAllocSize: 1 << 20}.Freeze()

// Encode implements publisher.Codec.
func (a Avro) Encode(payload any) (publisher.Body, error) {
	body, err := avro.Marshal(a.Schema, payload)
	return publisher.Body{Bytes: body, ContentType: "application/avro"}, err
}

// Decode implements publisher.Codec. It does not use avro.Unmarshal, which takes a body that is cut
// off for one whose last fields are zero, and ignores what follows.
func (a Avro) Decode(b publisher.Body, payload any) error {
	r := avro.NewReader(nil, 0, avro.WithReaderConfig(bounded)).Reset(b.Bytes)
	r.ReadVal(a.Schema, payload)
	if errors.Is(r.Error, io.EOF) {
		return fmt.Errorf("the body is cut off: %w", io.ErrUnexpectedEOF)
	}
	if r.Error != nil {
		return r.Error
	}
	if r.Peek(); r.Error == nil {
		return errors.New("more follows the value")
	}
	return nil
}

// ContentTypes is for codec.ByContentType.
func (Avro) ContentTypes() []string { return []string{"application/avro"} }
