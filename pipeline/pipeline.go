package pipeline

import (
	"context"
	"errors"
	"fmt"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/internal/journal"
	"github.com/bunnicula-go/bunnicula/publisher"
)

// segment is how many bytes the broker drops at once when reports are too old.
const segment = 10_000_000

// Pipeline is what the stages of a pipeline share in one process: where outputs and reports go. It
// is safe for use by many goroutines at once.
type Pipeline struct {
	conn     *connection.Connection // immutable
	pub      publisher.Publisher    // immutable
	cfg      Config                 // immutable, with its defaults
	journal  *journal.Journal       // immutable
	reporter *reporter              // immutable
}

// New makes a Pipeline. It does not connect. Reports are read and written on conn; outputs are
// published by pub. The error has a line for each field that is wrong.
func New(conn *connection.Connection, pub publisher.Publisher, cfg Config) (*Pipeline, error) {
	var errs []error
	if conn == nil {
		errs = append(errs, errors.New("pipeline: the connection is nil"))
	}
	if pub == nil {
		errs = append(errs, errors.New("pipeline: the publisher is nil"))
	}
	cfg, err := cfg.resolve()
	if err = errors.Join(append(errs, err)...); err != nil {
		return nil, err
	}
	j, err := journal.New(conn.Transport(), journal.Config{Stream: StreamOf(cfg.Name), MaxAge: cfg.MaxAge, Segment: segment, Logger: cfg.Logger})
	if err != nil {
		return nil, fmt.Errorf("pipeline: %w", err)
	}
	p := &Pipeline{conn: conn, pub: pub, cfg: cfg, journal: j}
	p.reporter = newReporter(p.write)
	return p, nil
}

// StreamOf is the name of the stream that has the reports of the pipeline of that name.
func StreamOf(name string) string { return name + "-progress" }

// Name is Config.Name.
func (p *Pipeline) Name() string { return p.cfg.Name }

// Start declares the stream of reports, unless it exists. The error says which permission is
// missing: the user needs configure on the stream to declare it, write on the default exchange
// (amq.default, in RabbitMQ's terms) to report, and read on the stream to ask for progress. On a
// Lazy connection Start does nothing. Whatever happens, a report that finds no stream declares it.
func (p *Pipeline) Start(ctx context.Context) error {
	if p.conn.Transport().Lazy() {
		return nil
	}
	if err := p.journal.Declare(ctx); err != nil {
		return fmt.Errorf("pipeline %s: %w", p.cfg.Name, err)
	}
	return nil
}

// Stop takes no more reports, and waits until those of handlers that run are confirmed or ctx ends.
// Stop the consumers first: a message that is handled later is snoozed. It may be called twice.
func (p *Pipeline) Stop(ctx context.Context) error {
	return errors.Join(p.reporter.stop(ctx), p.journal.Stop(ctx))
}

// write writes one record, and returns when it is confirmed. A stream that is gone is declared
// again: what it had is lost, so jobs that were under way are never complete.
func (p *Pipeline) write(ctx context.Context, r record) error {
	body, err := r.body()
	if err != nil {
		return err
	}
	draft := journal.Draft{Type: string(r.Kind), Body: body}
	err = p.journal.Append(ctx, draft)
	if errors.Is(err, journal.ErrGone) {
		if err = p.journal.Declare(ctx); err == nil {
			p.cfg.Logger.WarnContext(ctx, "stream of reports was declared again", "pipeline", p.cfg.Name, "stream", StreamOf(p.cfg.Name))
			err = p.journal.Append(ctx, draft)
		}
	}
	if err != nil {
		return fmt.Errorf("pipeline %s: %w", p.cfg.Name, err)
	}
	return nil
}
