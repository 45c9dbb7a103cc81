package inflate

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
)

// MaxLayers is how many layers of gzip are undone. One is usual, and two happen where two programs
// on a message's way compress it.
const MaxLayers = 4

// ErrTooLarge says that a body inflates to more than the limit.
var ErrTooLarge = errors.New("the body inflates to more than the limit")

// maxRatio is how many bytes one byte of gzip makes at most, and a little more.
const maxRatio = 1032

// Gunzip undoes so many layers of gzip, and returns new memory. All layers together may make most
// bytes; beyond these it stops with an error that is ErrTooLarge. A layer is one or more members of
// gzip, with nothing behind the last one.
func Gunzip(body []byte, layers, most int) ([]byte, error) {
	c, err := open(body, layers, most)
	defer c.close()
	if err != nil {
		return nil, c.explain(err, most)
	}
	plain, err := c.collect(expected(body, layers, most))
	if err != nil {
		return nil, c.explain(err, most)
	}
	return plain, nil
}

// Prefix returns the first bytes that a body makes, at most n, also if it is cut off or broken
// behind them. It returns none if the body has no gzip, or something else around it.
func Prefix(body []byte, contentEncoding string, n int) []byte {
	e := Parse(contentEncoding)
	if e.Gzip == 0 || e.Unknown != "" {
		return nil
	}
	c, err := open(body, e.Gzip, ViewMost)
	defer c.close()
	if err != nil {
		return nil
	}
	first := make([]byte, n)
	got, _ := io.ReadFull(c.last, first)
	return first[:got]
}

// chain inflates a body layer by layer. Only the last layer's bytes are kept.
type chain struct {
	source bytes.Reader
	layers []*gzip.Reader // the outermost first
	open   int            // how many of layers are in use
	left   int            // bytes that may still be made; below 0 is too much
	last   io.Reader      // the innermost layer
	spare  [512]byte
}

// chains has the readers of gzip, some 40 KiB each.
var chains = sync.Pool{New: func() any { return new(chain) }}

// magic is how gzip begins.
var magic = []byte{0x1f, 0x8b}

// open prepares the layers. The chain is to be closed, also after an error.
func open(body []byte, layers, most int) (*chain, error) {
	c := chains.Get().(*chain)
	c.left = most
	if layers > MaxLayers {
		return c, fmt.Errorf("%d layers of gzip are more than %d", layers, MaxLayers)
	}
	switch {
	case len(body) == 0:
		return c, errors.New("the body is empty, and gzip of nothing is not")
	case !bytes.HasPrefix(body, magic):
		return c, errNotGzip // a short one would look cut off
	}
	c.source.Reset(body)
	c.last = &c.source
	for c.open < layers {
		if c.open == len(c.layers) {
			c.layers = append(c.layers, new(gzip.Reader))
		}
		layer := c.layers[c.open]
		c.open++
		if err := layer.Reset(c.last); err != nil {
			return c, notGzip(err)
		}
		c.last = &meter{layer, &c.left}
	}
	return c, nil
}

// close gives the readers back. They hold the source, which lets go of the body.
func (c *chain) close() {
	c.source.Reset(nil)
	c.open, c.last = 0, nil
	chains.Put(c)
}

// explain says what is wrong in words that stand behind the name of the encoding.
func (c *chain) explain(err error, most int) error {
	switch {
	case c.left < 0:
		return &tooLarge{most}
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("the gzip data is cut off: %w", err)
	case errors.Is(err, gzip.ErrHeader) && !errors.Is(err, errNotGzip):
		return errors.New("something follows the gzip data")
	}
	return err
}

// errNotGzip says that a layer does not begin as gzip does.
var errNotGzip = errors.New("the body is not gzip")

func notGzip(err error) error {
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, ErrTooLarge):
		return err
	case errors.Is(err, io.EOF):
		return fmt.Errorf("%w: it is empty", errNotGzip)
	}
	return fmt.Errorf("%w: %w", errNotGzip, err)
}

// tooLarge is ErrTooLarge with the limit.
type tooLarge struct{ most int }

func (t *tooLarge) Error() string {
	return fmt.Sprintf("the body inflates to more than %d bytes", t.most)
}
func (t *tooLarge) Unwrap() error { return ErrTooLarge }

// meter counts what a layer makes, and ends when it is too much.
type meter struct {
	from io.Reader
	left *int
}

func (m *meter) Read(p []byte) (int, error) {
	if len(p) > *m.left+1 {
		p = p[:max(*m.left+1, 0)]
	}
	n, err := m.from.Read(p)
	*m.left -= n
	if *m.left < 0 {
		return 0, ErrTooLarge
	}
	return n, err
}

// expected returns how many bytes a body will probably make. The last four bytes of gzip say it,
// and may lie, so it is not more than the limit, or than the body can make.
func expected(body []byte, layers, most int) int {
	const unknown = 16 << 10
	if layers != 1 || len(body) < 4 {
		return min(unknown, most)
	}
	size := uint64(binary.LittleEndian.Uint32(body[len(body)-4:]))
	if size > uint64(most) || size > maxRatio*uint64(len(body)) {
		return min(unknown, most)
	}
	return int(size)
}

// collect reads all. It keeps pieces until it knows the size: a slice that grows would allocate
// twice the limit before it meets it.
func (c *chain) collect(size int) ([]byte, error) {
	const largest = 1 << 20
	var pieces [][]byte
	total := 0
	piece := make([]byte, 0, size)
	for {
		into := piece[len(piece):cap(piece)]
		if len(into) == 0 {
			into = c.spare[:] // probably there is nothing more, and nothing to allocate
		}
		n, err := c.last.Read(into)
		total += n
		if len(piece) < cap(piece) {
			piece = piece[:len(piece)+n]
		} else if n > 0 {
			pieces = append(pieces, piece)
			piece = append(make([]byte, 0, min(max(total, 4<<10), largest)), into[:n]...)
		}
		switch {
		case err == io.EOF && pieces == nil:
			return piece, nil
		case err == io.EOF:
			return bytes.Join(append(pieces, piece), nil), nil
		case err != nil:
			return nil, err
		}
	}
}
