package archive

import (
	"bufio"
	"encoding/json"
	"io"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// The first line of a file says these.
const (
	format  = "bunnicula-errorqueue"
	version = 1
)

type firstLine struct {
	Format  string    `json:"format"`
	Version int       `json:"version"`
	Queue   string    `json:"queue"`
	Main    string    `json:"main,omitempty"`
	At      time.Time `json:"at,omitzero"`
}

type lastLine struct {
	End      bool `json:"end"`
	Messages int  `json:"messages"`
}

// Writer writes a file. One goroutine uses it.
type Writer struct {
	out      *bufio.Writer
	lines    *json.Encoder
	messages int // written
}

// NewWriter begins the file of an error queue and its main queue.
func NewWriter(w io.Writer, queue, main string, at time.Time) (*Writer, error) {
	out := bufio.NewWriter(w)
	lines := json.NewEncoder(out)
	lines.SetEscapeHTML(false)
	first := firstLine{Format: format, Version: version, Queue: queue, Main: main, At: at.UTC().Truncate(time.Second)}
	return &Writer{out: out, lines: lines}, lines.Encode(first)
}

// Write adds a message.
func (w *Writer) Write(d *amqp.Delivery) error {
	if err := w.lines.Encode(lineOf(d)); err != nil {
		return err
	}
	w.messages++
	return nil
}

// Messages is how many messages were added.
func (w *Writer) Messages() int { return w.messages }

// End writes the last line. A file without it counts as truncated.
func (w *Writer) End() error { return w.lines.Encode(lastLine{End: true, Messages: w.messages}) }

// Flush writes the buffered bytes.
func (w *Writer) Flush() error { return w.out.Flush() }
