package codec

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/bunnicula-go/bunnicula/internal/foreign"
	"github.com/bunnicula-go/bunnicula/publisher"
)

// ByContentType makes a codec that encodes with the first codec, and decodes with the one that a
// message's content type asks for. So the publishers of a queue can change their codec one after
// the other. First give both codecs to all consumers, in any order. Then make the new codec the
// first one in each publisher.
//
// A codec says its content types with a method
//
//	ContentTypes() []string
//
// as publisher.JSON and StrictJSON (application/json), Raw (application/octet-stream) and the
// codecs of this package do. [Type] gives this method to any other codec.
//
// Case and parameters of a message's content type do not matter. A type that no codec names goes by
// its suffix: application/vnd.order+json to the codec for application/json. Messages without a
// content type go to the first, and so does application/octet-stream if no codec names it. Any
// other type is an error that names it and those that are known. A consumer parks such a message as
// undecodable, as it came.
//
// It panics if a codec is nil or has no content type, and if two have the same one.
func ByContentType(first publisher.Codec, others ...publisher.Codec) publisher.Codec {
	t := &typesCodec{first: first, byType: map[string]publisher.Codec{}}
	for i, c := range append([]publisher.Codec{first}, others...) {
		if c == nil {
			panic(fmt.Errorf("codec.ByContentType: codec %d is nil", i+1))
		}
		types := contentTypes(c)
		if len(types) == 0 {
			panic(fmt.Errorf("codec.ByContentType: codec %d, %T, does not say its content types: use codec.Type, or give it a method ContentTypes() []string", i+1, c))
		}
		for _, name := range types {
			kind := kindOf(name)
			switch other := t.byType[kind]; {
			case kind == "":
				panic(fmt.Errorf("codec.ByContentType: codec %d, %T, has a content type that is empty", i+1, c))
			case other != nil:
				panic(fmt.Errorf("codec.ByContentType: codec %d, %T, is for %s, and so is %T before it", i+1, c, kind, other))
			}
			t.byType[kind] = c
		}
	}
	return t
}

// unknown is the content type of bytes of which nothing is known.
const unknown = "application/octet-stream"

// typesCodec is immutable.
type typesCodec struct {
	first  publisher.Codec
	byType map[string]publisher.Codec // by kindOf
}

func (t *typesCodec) Encode(payload any) (publisher.Body, error) {
	b, err := t.first.Encode(payload)
	if err == nil && t.of(b.ContentType) == nil {
		return publisher.Body{}, fmt.Errorf("codec.ByContentType: %T has made the content type %s, for which there is no codec", t.first, foreign.Word(b.ContentType))
	}
	return b, err
}

func (t *typesCodec) Decode(b publisher.Body, payload any) error {
	c := t.of(b.ContentType)
	if c == nil {
		known := strings.Join(t.ContentTypes(), ", ")
		return fmt.Errorf("codec.ByContentType: content type %s is not decoded here, only %s", foreign.Word(b.ContentType), known)
	}
	return c.Decode(b, payload)
}

// of returns the codec for a content type, or nil.
func (t *typesCodec) of(contentType string) publisher.Codec {
	kind := kindOf(contentType)
	if c := t.byType[kind]; c != nil {
		return c
	}
	if kind == "" || kind == unknown {
		return t.first
	}
	if plus := strings.LastIndexByte(kind, '+'); plus >= 0 {
		return t.byType["application/"+kind[plus+1:]]
	}
	return nil
}

// ContentTypes returns all that are known, sorted.
func (t *typesCodec) ContentTypes() []string { return slices.Sorted(maps.Keys(t.byType)) }

// DecodesEncoding says whether all codecs do, because a Gzip around them does not know which of
// them it will be.
func (t *typesCodec) DecodesEncoding(name string) bool {
	for _, c := range t.byType {
		if !decodesEncoding(c, name) {
			return false
		}
	}
	return true
}

// kindOf returns a content type in lower case without its parameters.
func kindOf(contentType string) string {
	kind, _, _ := strings.Cut(contentType, ";")
	return strings.ToLower(strings.TrimSpace(kind))
}

// contentTypes returns what a codec says, nil if it says nothing.
func contentTypes(c publisher.Codec) []string {
	if t, ok := c.(interface{ ContentTypes() []string }); ok {
		return t.ContentTypes()
	}
	return nil
}

// Type returns a codec that is c with the method ContentTypes, for ByContentType. Encode sets the
// first of them where c sets none. It panics if c is nil, if there is no content type, or if one is
// empty.
func Type(c publisher.Codec, contentTypes ...string) publisher.Codec {
	switch {
	case c == nil:
		panic(errors.New("codec.Type: the codec is nil"))
	case len(contentTypes) == 0:
		panic(fmt.Errorf("codec.Type: no content type for %T", c))
	}
	for _, name := range contentTypes {
		if kindOf(name) == "" {
			panic(fmt.Errorf("codec.Type: content type %q of %T is empty", name, c))
		}
	}
	return &typed{c, slices.Clone(contentTypes)}
}

// typed is immutable.
type typed struct {
	publisher.Codec

	types []string
}

func (t *typed) Encode(payload any) (publisher.Body, error) {
	b, err := t.Codec.Encode(payload)
	if err == nil && b.ContentType == "" {
		b.ContentType = t.types[0]
	}
	return b, err
}

func (t *typed) ContentTypes() []string { return slices.Clone(t.types) }

// DecodesEncoding is for a Gzip around it.
func (t *typed) DecodesEncoding(name string) bool { return decodesEncoding(t.Codec, name) }
