package link

import (
	"bytes"
	"io"
	"net"
	"slices"
	"testing"
	"time"
)

// endless returns the same bytes again and again, in pieces of the size that the reader asks for.
type endless struct {
	net.Conn
	all []byte
	at  int
}

func (e *endless) Read(p []byte) (int, error) {
	n := copy(p, e.all[e.at:])
	e.at = (e.at + n) % len(e.all)
	return n, nil
}

func (*endless) SetReadDeadline(time.Time) error { return nil }
func (*endless) Close() error                    { return nil }

// BenchmarkReader reads one delivery as the library does, 4 KiB at a time.
func BenchmarkReader(b *testing.B) {
	headers := slices.Concat(
		entry("tenant", 'S', sized([]byte("acme"))), entry("traceparent", 'S', sized(make([]byte, 55))), entry("shard", 'l', make([]byte, 8)),
	)
	retried := slices.Concat(headers, entry("bunnicula-history", 'S', sized(make([]byte, 1500))), died())
	for _, row := range []struct {
		name  string
		table []byte
	}{{"plain", nil}, {"headers", headers}, {"retried", retried}} {
		message := slices.Concat(framed(1, make([]byte, 60)), framed(2, content(row.table)), framed(3, make([]byte, 256)))
		for name, of := range map[string]func(*socket) io.Reader{
			"socket": func(s *socket) io.Reader { return s },
			"reader": func(s *socket) io.Reader { return newReader(s, toConsume) },
		} {
			b.Run(row.name+"/"+name, func(b *testing.B) {
				s := newSocket(&endless{all: bytes.Repeat(message, 100)})
				defer s.abort(net.ErrClosed)
				r := of(s)
				buf := make([]byte, 4096)
				b.ReportAllocs()
				for left := 0; b.Loop(); left += len(message) {
					for left > 0 {
						n, err := r.Read(buf)
						if err != nil {
							b.Fatal(err)
						}
						left -= n
					}
				}
			})
		}
	}
}
