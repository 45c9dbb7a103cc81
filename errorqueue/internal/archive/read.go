package archive

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/typed"
)

// ErrFormat says that a file was not written by a [Writer].
var ErrFormat = errors.New("not an export of an error queue")

// LineError says which line of a file is wrong. Lines are counted from 1.
type LineError struct {
	Line int
	Err  error
}

func (e *LineError) Error() string { return fmt.Sprintf("line %d: %v", e.Line, e.Err) }

// Unwrap returns what is wrong with the line.
func (e *LineError) Unwrap() error { return e.Err }

// maxLine is the longest line: a body of 128 MiB, the broker's largest, in base64 or as text full
// of escapes.
const maxLine = 800 << 20

// Contents describes a file, as far as it was read.
type Contents struct {
	Queue    string // from which the file was made
	Messages int
}

// Read reads a file and calls f for each message, beginning at the line from. An error of f ends
// it.
func Read(ctx context.Context, r io.Reader, from int, f func(line int, d *amqp.Delivery) error) (Contents, error) {
	s := scan{from: from, take: f}
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 64<<10), maxLine)
	for lines.Scan() {
		if ctx.Err() != nil {
			return s.found, context.Cause(ctx)
		}
		if err := lines.Err(); err != nil { // the bytes before the error look like a line
			return s.found, fmt.Errorf("read: %w", err)
		}
		if err := s.line(lines.Bytes()); err != nil {
			return s.found, err
		}
	}
	return s.found, s.end(lines.Err())
}

// scan is a file as far as it was read.
type scan struct {
	from int
	take func(line int, d *amqp.Delivery) error

	// Written by line.
	n     int // lines
	ended bool
	found Contents
}

// line reads the next line.
func (s *scan) line(text []byte) error {
	s.n++
	switch {
	case s.n == 1:
		return s.first(text)
	case s.ended && len(bytes.TrimSpace(text)) == 0:
		return nil
	case s.ended:
		return s.wrong(errors.New("the file goes on behind its last line: two files in one?"))
	}
	var l line
	if err := typed.Strictly(text, &l); err != nil {
		return s.wrong(readable(err))
	}
	if l.End {
		s.ended = true
		if l.Messages != s.found.Messages {
			return s.wrong(fmt.Errorf("the file was written with %d messages and has %d", l.Messages, s.found.Messages))
		}
		return nil
	}
	d, err := l.delivery()
	if err != nil {
		return s.wrong(err)
	}
	s.found.Messages++
	if s.n < s.from {
		return nil
	}
	return s.take(s.n, d)
}

func (s *scan) first(text []byte) error {
	var first firstLine
	if json.Unmarshal(text, &first) != nil || first.Format != format {
		return s.wrong(fmt.Errorf("%w: its first line does not say %q", ErrFormat, format))
	}
	if first.Version != version {
		return s.wrong(fmt.Errorf("%w of version %d, which this program reads: it is of version %d", ErrFormat, version, first.Version))
	}
	s.found.Queue = first.Queue
	return nil
}

// end says whether the file was complete. err is the scanner's error.
func (s *scan) end(err error) error {
	switch {
	case errors.Is(err, bufio.ErrTooLong):
		return &LineError{s.n + 1, fmt.Errorf("it is longer than %d MiB", maxLine>>20)}
	case err != nil:
		return fmt.Errorf("read: %w", err)
	case s.n == 0:
		return fmt.Errorf("%w: it is empty", ErrFormat)
	case !s.ended:
		return &LineError{s.n + 1, fmt.Errorf("the file was cut off: its last line, which counts the messages, is missing: %w", io.ErrUnexpectedEOF)}
	}
	return nil
}

func (s *scan) wrong(err error) error { return &LineError{s.n, err} }

// readable returns an error of encoding/json without the names of Go types.
func readable(err error) error {
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) && wrong.Field != "" {
		return fmt.Errorf("%s: a %s does not belong there", wrong.Field, wrong.Value)
	}
	return err
}
