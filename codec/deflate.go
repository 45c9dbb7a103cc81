package codec

import (
	"bytes"
	"compress/gzip"
	"sync"
)

// deflater compresses. Its writer alone has some 800 KiB.
type deflater struct {
	out bytes.Buffer
	zip *gzip.Writer
}

var deflaters = sync.Pool{New: func() any {
	d := new(deflater)
	// Measured with JSON: half the time of the default level, and 3 % more bytes of 3 kB, 20 % more
	// of 64 kB.
	d.zip, _ = gzip.NewWriterLevel(&d.out, gzip.BestSpeed) // an error is for a level that is none
	return d
}}

// keptBuffer is how large a buffer the pool keeps.
const keptBuffer = 1 << 20

// deflate returns the compressed body, in new memory, or nil if it is not smaller.
func deflate(body []byte) []byte {
	d := deflaters.Get().(*deflater)
	defer func() {
		if d.out.Cap() <= keptBuffer {
			deflaters.Put(d)
		}
	}()
	d.out.Reset()
	d.zip.Reset(&d.out)
	_, _ = d.zip.Write(body) // a buffer takes everything
	_ = d.zip.Close()
	if d.out.Len() >= len(body) {
		return nil
	}
	return bytes.Clone(d.out.Bytes())
}
