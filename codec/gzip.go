package codec

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/bunnicula-go/bunnicula/internal/foreign"
	"github.com/bunnicula-go/bunnicula/internal/inflate"
	"github.com/bunnicula-go/bunnicula/publisher"
)

// Limits are the bounds of [Gzip]. The zero value has the defaults.
type Limits struct {
	// MinBytes is the size above which a body is compressed. One that gzip does not make smaller is
	// sent as it is. A consumer, which only decodes, need not set it; math.MaxInt compresses
	// nothing.
	//
	// Defaults to 1024.
	MinBytes int

	// MaxBytes is how many bytes a body inflates to at most. If it is gzip in gzip, the bytes of
	// all layers count together. Decode returns an ErrTooLarge for a larger one, and Encode does
	// not compress a body above it. So what was compressed with some Limits is decoded with the
	// same.
	//
	// Defaults to 16 MiB.
	MaxBytes int
}

// ErrTooLarge says that a body inflates to more than Limits.MaxBytes.
var ErrTooLarge = inflate.ErrTooLarge

// Gzip makes a codec of inner that compresses large bodies, with the content encoding gzip, and
// decodes bodies with and without that encoding. So put it into consumers first, and into
// publishers when all consumers have it.
//
// Encode keeps the content type and the headers of inner. If inner has set a content encoding, gzip
// is appended to that: "zstd, gzip". What inner has compressed by gzip stays as it is. A publisher
// asks no codec for a payload that is a []byte, so that is not compressed. Do not use the option
// publisher.ContentEncoding beside: it replaces the encoding that Encode has set, and nobody can
// decode the message.
//
// Decode reads the content encoding as a list, the last of which was applied last. Case does not
// matter, x-gzip stands for gzip, and identity for no encoding. Up to four layers of gzip are
// undone, and inner gets the body with what remains of the list. Names of plain text, such as the
// utf-8 of Celery and Spring, are left to inner. Any other name, such as br, is an error that says
// it, unless inner has a method
//
//	DecodesEncoding(name string) bool
//
// that returns true for it. Several members of gzip behind one another are one body. It is an error
// if the body is empty, not gzip, cut off or wrong in its checksum, or if something follows the
// gzip data. A consumer parks such a message as undecodable, as it came.
//
// A body above Limits.MaxBytes costs no more than that much memory and time: it is not inflated to
// its end. An error or a panic of inner is passed on. A consumer's error does not name the content
// encoding then, so it has the same error group as that of the uncompressed body.
//
// A nil inner panics, as does a limit below 0.
func Gzip(inner publisher.Codec, l Limits) publisher.Codec {
	l.MinBytes, l.MaxBytes = cmp.Or(l.MinBytes, defaultMinBytes), cmp.Or(l.MaxBytes, defaultMaxBytes)
	switch {
	case inner == nil:
		panic(errors.New("codec.Gzip: the codec is nil"))
	case l.MinBytes < 0:
		panic(fmt.Errorf("codec.Gzip: Limits.MinBytes is %d, want 0 or more", l.MinBytes))
	case l.MaxBytes < 0:
		panic(fmt.Errorf("codec.Gzip: Limits.MaxBytes is %d, want 0 or more", l.MaxBytes))
	}
	return &gzipCodec{inner: inner, limits: l}
}

const (
	defaultMinBytes = 1 << 10
	defaultMaxBytes = 16 << 20
)

// encodingGzip is the content encoding.
const encodingGzip = "gzip"

// gzipCodec is immutable.
type gzipCodec struct {
	inner  publisher.Codec
	limits Limits
}

func (g *gzipCodec) Encode(payload any) (publisher.Body, error) {
	b, err := g.inner.Encode(payload)
	if err != nil || len(b.Bytes) <= g.limits.MinBytes || len(b.Bytes) > g.limits.MaxBytes || inflate.Parse(b.ContentEncoding).Gzip > 0 {
		return b, err
	}
	if zipped := deflate(b.Bytes); zipped != nil {
		b.Bytes = zipped
		if b.ContentEncoding != "" {
			b.ContentEncoding += ", "
		}
		b.ContentEncoding += encodingGzip
	}
	return b, nil
}

func (g *gzipCodec) Decode(b publisher.Body, payload any) error {
	if b.ContentEncoding == "" {
		return g.inner.Decode(b, payload)
	}
	e := inflate.Parse(b.ContentEncoding)
	if e.Unknown != "" && !decodesEncoding(g.inner, e.Unknown) {
		return fmt.Errorf("codec.Gzip: %s is not decoded here, only gzip is", foreign.Word(e.Unknown))
	}
	if e.Gzip == 0 {
		return g.inner.Decode(b, payload)
	}
	plain, err := inflate.Gunzip(b.Bytes, e.Gzip, g.limits.MaxBytes)
	switch {
	case errors.Is(err, inflate.ErrTooLarge):
		return fmt.Errorf("codec.Gzip: %w, which is Limits.MaxBytes", err)
	case err != nil:
		return fmt.Errorf("codec.Gzip: %w", err)
	}
	b.Bytes, b.ContentEncoding = plain, e.Rest
	if err := g.inner.Decode(b, payload); err != nil {
		return &inflate.PlainError{Err: err, Body: plain, Rest: e.Rest}
	}
	return nil
}

// ContentTypes returns those of inner: see ByContentType.
func (g *gzipCodec) ContentTypes() []string { return contentTypes(g.inner) }

// DecodesEncoding is for a Gzip around it.
func (g *gzipCodec) DecodesEncoding(name string) bool { return decodesEncoding(g.inner, name) }

// decodesEncoding says whether a codec decodes bodies with this content encoding.
func decodesEncoding(c publisher.Codec, name string) bool {
	d, ok := c.(interface{ DecodesEncoding(name string) bool })
	return ok && d.DecodesEncoding(name)
}
