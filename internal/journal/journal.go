// Package journal keeps records in a stream of RabbitMQ, and reads all of them from the beginning.
// A state is what somebody folds out of the records; nothing of it lives elsewhere.
//
// A record has an offset, its place in the stream, and each reader sees every record once, in the
// order of offsets. A record that was sent again, because a connection was lost before its confirm,
// may be two records with one id. All readers see both, so they fold the same: whoever folds must
// get the same state from a record that is there twice, also if others stand between the two.
package journal

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/applog"
	"github.com/bunnicula-go/bunnicula/internal/backoff"
	"github.com/bunnicula-go/bunnicula/internal/sending"
	"github.com/bunnicula-go/bunnicula/internal/transport"
)

// Config says which stream it is, and how it is declared.
type Config struct {
	Stream   string
	Exchange string        // direct, bound to the stream by the key Stream; "" for the default exchange
	MaxAge   time.Duration // x-max-age, in whole seconds; 0 is DefaultMaxAge
	Segment  int64         // x-stream-max-segment-size-bytes: whole segments are dropped; 0 is DefaultSegment
	Logger   *slog.Logger  // nil is slog.Default()
}

// What a Config has that does not say.
const (
	DefaultMaxAge  = 7 * 24 * time.Hour
	DefaultSegment = 10_000_000
)

func (c Config) check() error {
	var errs []error
	wrong := func(format string, args ...any) { errs = append(errs, fmt.Errorf("journal: "+format, args...)) }
	if n := len(c.Stream); n == 0 || n > 255 {
		wrong("Stream is %d bytes long, want 1 to 255", n)
	}
	if n := len(c.Exchange); n > 255 {
		wrong("Exchange is %d bytes long, AMQP allows 255", n)
	}
	if c.MaxAge < time.Second {
		wrong("MaxAge is %s, want 1s or more, or 0 for %s", c.MaxAge, DefaultMaxAge)
	}
	if c.Segment < 1 || c.Segment > 3_000_000_000 {
		wrong("Segment is %d bytes, want 1 to 3000000000, or 0 for %d", c.Segment, DefaultSegment)
	}
	return errors.Join(errs...)
}

func (c Config) arguments() amqp.Table {
	return amqp.Table{
		"x-queue-type": "stream", "x-max-age": fmt.Sprintf("%ds", int64(c.MaxAge/time.Second)),
		"x-stream-max-segment-size-bytes": c.Segment,
	}
}

// Draft is a record to be written.
type Draft struct {
	ID      string // message id; made up if it is empty
	Type    string
	UserID  string // empty, or the name of the login: the broker refuses any other
	ReplyTo string
	Headers map[string]any
	Body    []byte // JSON
	// Plain publishes by the default exchange, whatever Config.Exchange says.
	Plain bool
}

// Journal is safe for use by many goroutines at once. It is immutable, but for its pipeline, the
// last mark and whether it reads apart.
type Journal struct {
	conn     transport.Connection // immutable
	cfg      Config               // immutable
	log      *slog.Logger         // immutable
	pipeline *sending.Pipeline    // immutable

	// mark is the record at which the last Fold ended. A Follow that goes on there can tell whether
	// it is still the same stream. Each Fold replaces it; atomic.
	mark atomic.Pointer[place]

	// apart says that a record has ended the shared connection. Readers then have links of their
	// own. A reader sets it, and a Fold that has met no such record takes it back; atomic.
	apart atomic.Bool
}

// New makes a Journal. It does not connect. The error has a line for each field that is wrong.
func New(conn transport.Connection, cfg Config) (*Journal, error) {
	if conn == nil {
		return nil, errors.New("journal: the connection is nil")
	}
	cfg.MaxAge, cfg.Segment = cmp.Or(cfg.MaxAge, DefaultMaxAge), cmp.Or(cfg.Segment, DefaultSegment)
	if err := cfg.check(); err != nil {
		return nil, err
	}
	pipeline, err := sending.New(conn, sending.DefaultWindow, cfg.Logger)
	if err != nil {
		return nil, err
	}
	log := applog.First(cfg.Logger).With("connection", conn.Name(), "stream", cfg.Stream)
	return &Journal{conn: conn, cfg: cfg, log: log, pipeline: pipeline}, nil
}

// Append writes records in their order, and returns when the broker has confirmed all of them. An
// error of some is one of the rest too: those may be in the stream or not. They are sent again over
// lost connections until ctx ends. Calls that run at once share their waits for confirms; up to
// sending.DefaultWindow records are in flight.
//
// A broker that has just started may not route to the stream yet. The first record that it returns
// is then sent again, with all behind it in the call, so that the last of them stays the last. The
// error is ErrGone when the broker has said for three seconds that there is no such stream.
func (j *Journal) Append(ctx context.Context, drafts ...Draft) error {
	envs := make([]sending.Envelope, len(drafts))
	for i := range drafts {
		envs[i] = j.envelope(&drafts[i])
	}
	pause := backoff.Backoff{Min: 50 * time.Millisecond, Max: time.Second}
	r := returned{until: time.Now().Add(settling)}
	for len(envs) > 0 {
		rest, failed, err := j.send(ctx, envs)
		if failed == 0 {
			return nil
		}
		if why := j.gaveUp(ctx, &r, rest[0].Exchange, err); why != nil {
			return fmt.Errorf("journal: append to stream %q: %d of %d records are not confirmed: %w", j.name(), failed, len(drafts), why)
		}
		j.log.DebugContext(ctx, "stream is not routed to yet", "err", err)
		envs = rest
		backoff.Wait(ctx, pause.Next())
	}
	return nil
}

// send sends once. It returns the records from the first that failed, how many of them failed, and
// why: the first reason that is not ErrUnroutable, if there is one.
func (j *Journal) send(ctx context.Context, envs []sending.Envelope) (rest []sending.Envelope, failed int, err error) {
	for i, e := range j.pipeline.SendBatch(ctx, envs) {
		if e == nil {
			continue
		}
		if failed++; failed == 1 {
			rest = envs[i:]
		}
		if err == nil || errors.Is(err, sending.ErrUnroutable) {
			err = e
		}
	}
	return rest, failed, err
}

// returned is what one Append knows of a stream to which the broker does not route.
type returned struct {
	until   time.Time // the broker has time to route until then
	missing time.Time // since when it says that there is no such stream; zero if it does not
}

// missed is how long a broker must say that there is no such stream: one that stops or starts says
// so as well.
const missed = 3 * time.Second

// gaveUp returns the error with which an Append ends that could not send, or nil if it is to send
// again. A broker that cannot say whether the stream is there gets as long to settle once it can.
func (j *Journal) gaveUp(ctx context.Context, r *returned, exchange string, err error) error {
	if !errors.Is(err, sending.ErrUnroutable) {
		return j.refusedWrite(exchange, err)
	}
	s, failed := j.conn.Consuming().Session(ctx)
	if failed == nil {
		failed = declarer{ctx, s, j.cfg}.look()
	}
	now := time.Now()
	if !isMissing(failed) {
		r.missing = time.Time{}
	}
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case isMissing(failed) && r.missing.IsZero():
		r.missing = now
	case isMissing(failed) && now.Sub(r.missing) < missed:
	case isMissing(failed), isRefused(failed, amqp.AccessRefused), failed == nil && now.After(r.until):
		return j.refusedWrite(exchange, err)
	case failed != nil:
		r.until = now.Add(settling)
	}
	return nil
}

func (j *Journal) envelope(d *Draft) sending.Envelope {
	env := sending.Envelope{Exchange: j.cfg.Exchange, RoutingKey: j.cfg.Stream, Publishing: amqp.Publishing{
		DeliveryMode: amqp.Persistent, ContentType: "application/json", MessageId: d.ID, Type: d.Type,
		UserId: d.UserID, ReplyTo: d.ReplyTo, AppId: j.conn.Name(), Headers: d.Headers, Body: d.Body,
	}}
	if d.Plain {
		env.Exchange = ""
	}
	env.Complete(time.Now())
	return env
}

// Stop ends the pipeline, when what is in flight is confirmed or ctx has ended. Who folds or
// follows is ended by its own context.
func (j *Journal) Stop(ctx context.Context) error { return j.pipeline.Stop(ctx) }
