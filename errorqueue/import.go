package errorqueue

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/sending"
	"github.com/bunnicula-go/bunnicula/internal/wire"
)

// ImportOptions are those of [Queue.Import].
type ImportOptions struct {
	// To is the queue that messages are published to.
	//
	// Defaults to the queue that was opened, whatever queue the file was made from.
	To string

	// From is the line of the file to begin with, to go on where an import ended: ImportReport.Next.
	//
	// Defaults to the first message.
	From int

	// DryRun only reads the file.
	DryRun bool

	// Window is how many messages are published together. From 1 to 1000.
	//
	// Defaults to 100.
	Window int

	// Progress is told how far it is: see [Progress].
	Progress func(Progress)
}

// ImportReport is what an import has done, also when it ends with an error.
type ImportReport struct {
	DryRun   bool          `json:"dry_run"`
	Source   string        `json:"source"` // the queue that the file was made from
	To       string        `json:"to"`
	Messages int           `json:"messages"` // in the file, as far as it was read
	Imported int           `json:"imported"` // published and confirmed
	Next     int           `json:"next"`     // the line of the first message that is not imported
	Took     time.Duration `json:"took"`     // nanoseconds
}

// maxLine is the longest line: a body of 128 MiB, the broker's largest, in base64 or as text full of escapes.
const maxLine = 800 << 20

// Import publishes the messages of a file that [Queue.Export] has written, in its order, mandatory and confirmed. Bodies,
// properties and the user's headers are as they were, of every AMQP type, and so are our headers. Left out is what would do harm when it is
// published again: expiration, CC and BCC, a user id that is not the connection's, and the broker's own headers; what those said of why a
// message failed is in our headers then.
//
// An *os.File, or whatever else can seek, is read to its end before anything is published: a line that is wrong, or a file that was
// cut off, then moves nothing. Of another reader the messages before a wrong line are published. A *LineError tells the line,
// ErrFormat that it is no export at all. The first message that cannot be published ends the import; ImportReport.Next says where to go on.
func (q *Queue) Import(ctx context.Context, r io.Reader, o ImportOptions) (ImportReport, error) {
	began := time.Now()
	o.Window = cmp.Or(o.Window, DefaultRedriveWindow)
	report := ImportReport{DryRun: o.DryRun, To: cmp.Or(o.To, q.name), Next: 2}
	err := o.check()
	if err == nil {
		err = q.importAll(ctx, r, o, &report)
	}
	report.Took = time.Since(began)
	if err != nil {
		return report, q.failed(fmt.Errorf("import: %w", err))
	}
	return report, nil
}

func (o ImportOptions) check() error {
	switch {
	case o.Window < 1 || o.Window > 1000:
		return &FieldError{"Window", itoa(o.Window), "1 to 1000"}
	case o.From < 0:
		return &FieldError{"From", itoa(o.From), "0 or above"}
	case len(o.To) > wire.MaxName:
		return &FieldError{"To", o.To[:40] + "...", "at most 255 bytes"}
	}
	return nil
}

func (q *Queue) importAll(ctx context.Context, r io.Reader, o ImportOptions, report *ImportReport) error {
	of := -1
	if s, ok := r.(io.Seeker); ok && !o.DryRun {
		start, err := s.Seek(0, io.SeekCurrent)
		if err == nil { // a pipe cannot
			check := ImportReport{}
			if err := readLines(ctx, r, 0, &check, func(int, *amqp.Delivery) error { return nil }); err != nil {
				return err
			}
			if _, err := s.Seek(start, io.SeekStart); err != nil {
				return err
			}
			of = check.Messages
		}
	}
	progress := reporter{to: o.Progress, now: Progress{Of: of}}
	defer progress.end()
	if o.DryRun {
		return readLines(ctx, r, o.From, report, func(int, *amqp.Delivery) error {
			progress.now.Read++
			progress.tell()
			return nil
		})
	}
	session, err := q.link.Session(ctx)
	if err != nil {
		return err
	}
	if _, err := count(ctx, session, report.To); errors.Is(err, errNotFound) {
		return &MissingTargetError{Queue: report.To, Messages: max(of, 0), Source: string(FromCaller)}
	}
	in, err := q.importer(ctx, o, report)
	if err != nil {
		return err
	}
	defer stop(in.sender)
	in.progress = &progress
	if err := readLines(ctx, r, o.From, report, in.take); err != nil {
		return errors.Join(in.flush(), err)
	}
	return in.flush()
}

// importer publishes a window at a time.
type importer struct {
	queue    *Queue
	ctx      context.Context
	sender   *sending.Pipeline
	user     string
	window   int
	report   *ImportReport
	progress *reporter

	envs  []sending.Envelope
	lines []int
	bytes int
	err   error // that ended it
}

func (q *Queue) importer(ctx context.Context, o ImportOptions, report *ImportReport) (*importer, error) {
	publishing, err := q.conn.Transport().Publishing().Session(ctx)
	if err != nil {
		return nil, err
	}
	sender, err := sending.New(q.conn.Transport(), o.Window, q.log)
	if err != nil {
		return nil, err
	}
	return &importer{queue: q, ctx: ctx, sender: sender, user: publishing.User(), window: o.Window, report: report}, nil
}

func (in *importer) take(line int, d *amqp.Delivery) error {
	in.envs = append(in.envs, asItIs(&held{Delivery: *d, message: in.queue.read(d, 0)}, in.report.To, in.user))
	in.lines = append(in.lines, line)
	in.bytes += len(d.Body)
	in.progress.now.Read++
	if len(in.envs) < in.window && in.bytes < maxHeldInMemory {
		return nil
	}
	return in.flush()
}

func (in *importer) flush() error {
	if len(in.envs) == 0 || in.err != nil {
		return nil
	}
	finish, cancel := outlast(in.ctx)
	defer cancel()
	errs := in.sender.SendBatch(finish, in.envs)
	for i, err := range errs {
		if err == nil {
			in.report.Imported++
			in.progress.now.Moved++
			if in.err == nil {
				in.report.Next = in.lines[i] + 1
			}
			continue
		}
		in.progress.now.Failed++
		if in.err == nil {
			in.report.Next = in.lines[i]
			in.err = &LineError{in.lines[i], err}
		}
	}
	in.envs, in.lines, in.bytes = in.envs[:0], in.lines[:0], 0
	in.progress.tell()
	return in.err
}

// readLines reads a file, and calls f for each message from a line on.
func readLines(ctx context.Context, r io.Reader, from int, report *ImportReport, f func(line int, d *amqp.Delivery) error) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 64<<10), maxLine)
	n, ended := 0, false
	for lines.Scan() {
		n++
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := lines.Err(); err != nil { // what came before it is shown as a line
			return fmt.Errorf("read: %w", err)
		}
		text := lines.Bytes()
		switch {
		case n == 1:
			if err := readFirst(text, report); err != nil {
				return err
			}
			continue
		case ended && len(bytes.TrimSpace(text)) == 0:
			continue
		case ended:
			return &LineError{n, errors.New("the file goes on behind its last line: two files in one?")}
		}
		var l line
		if err := strictly(text, &l); err != nil {
			return &LineError{n, readable(err)}
		}
		if l.End {
			ended = true
			if l.Messages != report.Messages {
				return &LineError{n, fmt.Errorf("the file was written with %d messages and has %d", l.Messages, report.Messages)}
			}
			continue
		}
		d, err := l.delivery()
		if err != nil {
			return &LineError{n, err}
		}
		report.Messages++
		if n < from {
			continue
		}
		if err := f(n, d); err != nil {
			return err
		}
	}
	switch err := lines.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return &LineError{n + 1, fmt.Errorf("it is longer than %d MiB", maxLine>>20)}
	case err != nil:
		return fmt.Errorf("read: %w", err)
	case n == 0:
		return fmt.Errorf("%w: it is empty", ErrFormat)
	case !ended:
		return &LineError{n + 1, fmt.Errorf("the file was cut off: its last line, which counts the messages, is missing: %w", io.ErrUnexpectedEOF)}
	}
	return nil
}

func readFirst(text []byte, report *ImportReport) error {
	var first firstLine
	if json.Unmarshal(text, &first) != nil || first.Format != format {
		return &LineError{1, fmt.Errorf("%w: its first line does not say %q", ErrFormat, format)}
	}
	if first.Version != version {
		return &LineError{1, fmt.Errorf("%w of version %d, which this program reads: it is of version %d", ErrFormat, version, first.Version)}
	}
	report.Source = first.Queue
	return nil
}

// readable is an error of encoding/json without the names of our types.
func readable(err error) error {
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) && wrong.Field != "" {
		return fmt.Errorf("%s: a %s does not belong there", wrong.Field, wrong.Value)
	}
	return err
}
