package errorqueue

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/errorqueue/internal/archive"
)

// ImportOptions are the options of [Queue.Import].
type ImportOptions struct {
	// To is the queue to which messages are published.
	//
	// Defaults to the queue that was opened, whatever queue the file was made from.
	To string

	// From is the line of the file with which to begin. ImportReport.Next is the value with which
	// an import can be continued.
	//
	// Defaults to the first message.
	From int

	// DryRun only reads the file.
	DryRun bool

	// Window is how many messages are published together. From 1 to 1000.
	//
	// Defaults to 100.
	Window int

	// Progress receives the progress of the call: see [Progress].
	Progress func(Progress)
}

// ImportReport says what an import has done, also if it ends with an error.
type ImportReport struct {
	DryRun   bool          `json:"dry_run"`
	Source   string        `json:"source"` // the queue from which the file was made
	To       string        `json:"to"`
	Messages int           `json:"messages"` // in the file, as far as it was read
	Imported int           `json:"imported"` // published and confirmed
	Next     int           `json:"next"`     // the line of the first message that is not imported
	Took     time.Duration `json:"took"`     // nanoseconds
}

// Import publishes the messages of a file that [Queue.Export] has written, in its order, mandatory
// and confirmed. Bodies, properties, the user's headers of every AMQP type, and the framework's
// headers stay as they were. Import leaves out what would do harm in a second publish: expiration,
// CC and BCC, a user id that is not the connection's, and the broker's own headers. What those said
// of a message's failure goes into the framework's headers.
//
// A reader that can seek, such as an *os.File, is read to its end before anything is published: a
// wrong line, or a truncated file, then moves nothing. From a reader that cannot seek, the messages
// before a wrong line are published. A *LineError names the line; ErrFormat says that the file is
// no export at all. The first message that cannot be published ends the import. ImportReport.Next
// says where to continue.
func (q *Queue) Import(ctx context.Context, r io.Reader, o ImportOptions) (ImportReport, error) {
	began := time.Now()
	o.Window, o.To = cmp.Or(o.Window, defaultMoveWindow), cmp.Or(o.To, q.name)
	in := &importer{queue: q, options: o, report: newReporter(o.Progress, q.log), of: -1, next: 2}
	err := o.check()
	if err == nil {
		err = in.run(ctx, r)
	}
	report := ImportReport{
		DryRun: o.DryRun, To: o.To, Source: in.found.Queue, Messages: in.found.Messages,
		Imported: in.imported, Next: in.next, Took: time.Since(began),
	}
	if err != nil {
		return report, q.failed(fmt.Errorf("import: %w", err))
	}
	return report, nil
}

func (o ImportOptions) check() error {
	switch {
	case o.Window < 1 || o.Window > maxMoveWindow:
		return &FieldError{"Window", itoa(o.Window), fmt.Sprintf("1 to %d", maxMoveWindow)}
	case o.From < 0:
		return &FieldError{"From", itoa(o.From), "0 or above"}
	}
	return checkName("To", o.To)
}

// importer is one call of Import. It publishes one window after the other. One goroutine uses it.
type importer struct {
	queue   *Queue        // immutable
	options ImportOptions // immutable
	sender  *sender       // set by run before the file is read
	taker   taker         // who takes the messages; set by run

	// Written by run, take and flush.
	report *reporter
	found  archive.Contents // set at the end of the file
	envs   []envelope       // the window
	lines  []int            // the line of each message in the window, by index
	bytes  int              // of the bodies in the window

	imported int
	next     int   // the line with which to continue
	read     int   // messages
	failed   int   // messages that could not be published
	of       int   // messages in the file, -1 if unknown
	err      error // the error that ended it
}

// run reads the file and publishes what is in it.
func (in *importer) run(ctx context.Context, r io.Reader) (err error) {
	o := in.options
	if s, ok := r.(io.Seeker); ok && !o.DryRun {
		if in.of, err = check(ctx, r, s); err != nil {
			return err
		}
	}
	defer in.report.end()
	if o.DryRun {
		in.report.enter(PhaseReading)
	} else {
		in.report.enter(PhaseMoving)
	}
	in.tell()
	if o.DryRun {
		in.found, err = readFile(ctx, r, o.From, func(int, *amqp.Delivery) error {
			in.read++
			in.tell()
			return nil
		})
		return err
	}
	s, err := in.queue.link.Session(ctx)
	if err != nil {
		return err
	}
	if _, err := count(ctx, s, o.To); errors.Is(err, errNotFound) {
		return &MissingTargetError{Queue: o.To, Messages: max(in.of, 0), Source: fromCaller}
	}
	if in.sender, in.taker, err = in.queue.sender(ctx, o.Window); err != nil {
		return err
	}
	defer stop(in.sender)
	in.found, err = readFile(ctx, r, o.From, func(line int, d *amqp.Delivery) error { return in.take(ctx, line, d) })
	return errors.Join(in.flush(ctx), err)
}

// check reads a file to its end that can be read again, and returns how many messages it has. It
// returns -1 for a reader whose seek fails, such as a pipe.
func check(ctx context.Context, r io.Reader, s io.Seeker) (int, error) {
	start, err := s.Seek(0, io.SeekCurrent)
	if err != nil {
		return -1, nil //nolint:nilerr // it cannot be read twice, and is read once
	}
	found, err := readFile(ctx, r, 0, func(int, *amqp.Delivery) error { return nil })
	if err != nil {
		return -1, err
	}
	_, err = s.Seek(start, io.SeekStart)
	return found.Messages, err
}

// take adds a message to the window, and publishes a full window.
func (in *importer) take(ctx context.Context, line int, d *amqp.Delivery) error {
	parked := &held{Delivery: *d, message: in.queue.read(d, 0)}
	in.envs = append(in.envs, asItIs(parked, in.options.To, in.taker))
	in.lines = append(in.lines, line)
	in.bytes += len(d.Body)
	in.read++
	if len(in.envs) < in.options.Window && in.bytes < maxHeldInMemory {
		return nil
	}
	return in.flush(ctx)
}

// flush publishes the window, and waits for its confirms.
func (in *importer) flush(ctx context.Context) error {
	if len(in.envs) == 0 || in.err != nil {
		return nil
	}
	finish, cancel := outlast(ctx)
	defer cancel()
	for i, err := range in.sender.SendBatch(finish, in.envs) {
		if err == nil {
			in.imported++
		} else {
			in.failed++
		}
		switch {
		case in.err != nil: // next is the line of the first message that failed
		case err == nil:
			in.next = in.lines[i] + 1
		default:
			in.next, in.err = in.lines[i], &LineError{in.lines[i], err}
		}
	}
	in.envs, in.lines, in.bytes = in.envs[:0], in.lines[:0], 0
	in.tell()
	return in.err
}

func (in *importer) tell() {
	in.report.tell(Progress{Of: in.of, Read: in.read, Moved: in.imported, Failed: in.failed})
}

// readFile is archive.Read with the public types of errors, with the same texts.
func readFile(ctx context.Context, r io.Reader, from int, f func(line int, d *amqp.Delivery) error) (archive.Contents, error) {
	found, err := archive.Read(ctx, r, from, f)
	var wrong *archive.LineError
	if errors.As(err, &wrong) {
		err = &LineError{wrong.Line, wrong.Err}
	}
	return found, err
}
