package control

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/backoff"
	"github.com/bunnicula-go/bunnicula/internal/foreign"
	"github.com/bunnicula-go/bunnicula/internal/journal"
	"github.com/bunnicula-go/bunnicula/internal/transport"
	"github.com/bunnicula-go/bunnicula/publisher"
)

// maxAsked is how old an ask may be that is answered. Whoever has asked waits no longer.
const maxAsked = 10 * time.Second

// reader reads the stream of orders: all of it, and then what comes.
type reader struct {
	journal *journal.Journal // immutable
	stream  string           // immutable; also the exchange that orders come by
	ledger  *ledger          // immutable
	clerk   *clerk           // immutable
	log     *slog.Logger     // immutable
	spread  time.Duration    // immutable; within which processes write orders again that are missing

	// Only run uses these.
	folded  bool   // the stream was read up to next
	next    int64  // the offset to go on with
	told    string // of the trouble that is in the log
	strange bool   // that the stream has records which are no orders is in the log
	foreign bool   // that it has records by another exchange is in the log

	why atomic.Pointer[string] // why orders may be missed; written by run
}

func newReader(cfg AgentConfig, j *journal.Journal, l *ledger, c *clerk) *reader {
	r := &reader{journal: j, stream: cfg.Stream, ledger: l, clerk: c, log: cfg.Logger, spread: min(2*time.Second, cfg.MaxAge/8)}
	r.say("the stream of orders was not read yet")
	return r
}

// trouble says why orders may be missed, or "".
func (r *reader) trouble() string { return *r.why.Load() }

func (r *reader) say(why string) { r.why.Store(&why) }

func (r *reader) run(ctx context.Context) {
	for {
		err := r.read(ctx)
		if ctx.Err() != nil || !backoff.Wait(ctx, r.judge(err)) {
			return
		}
	}
}

// read reads until something is wrong.
func (r *reader) read(ctx context.Context) error {
	if !r.folded {
		if err := r.fold(ctx); err != nil {
			return err
		}
	}
	r.say("")
	if r.told != "" {
		r.told = ""
		r.log.Info("orders are read again", "stream", r.stream)
	}
	return r.journal.Follow(ctx, r.next, func(rec journal.Record) error {
		r.next = rec.Offset + 1
		r.see(rec)
		return nil
	})
}

// fold reads the stream from its first record on. Nothing of it has an effect before all was read:
// an order may be lifted by the next one.
func (r *reader) fold(ctx context.Context) error {
	if err := r.journal.Declare(ctx); err != nil {
		return err
	}
	var all []dated
	next, err := r.journal.Fold(ctx, func(rec journal.Record) error {
		if order := r.parse(rec); order != nil && order.Kind.isOrder() {
			all = append(all, dated{order, rec.At})
		}
		return nil
	})
	if err != nil {
		return err
	}
	r.folded, r.next = true, next
	r.say("") // before the consumers begin
	r.ledger.fold(all, r.soon())
	return nil
}

// soon is when this process writes an order again that is missing in the stream. Another one may
// be earlier.
func (r *reader) soon() time.Time { return time.Now().Add(rand.N(r.spread)) }

// see takes a record that came after the fold.
func (r *reader) see(rec journal.Record) {
	order := r.parse(rec)
	switch {
	case order == nil:
		return
	case order.Kind.isOrder():
		r.ledger.see(dated{order, rec.At}, r.soon())
		if order.Again {
			return
		}
	case time.Since(order.At) > maxAsked:
		return
	}
	if isReply(rec.ReplyTo) {
		r.clerk.ask(question{record: order, to: rec.ReplyTo})
	}
}

// parse returns the order or ask of a record, or nil. Whoever may write to the exchange may stop
// consumers, so what came by another one is ignored.
func (r *reader) parse(rec journal.Record) *record {
	if rec.Exchange != r.stream {
		if !r.foreign {
			r.foreign = true
			r.log.Warn("records on the stream of orders are ignored, because they did not come by its exchange",
				"stream", r.stream, "exchange", foreign.Line(rec.Exchange, maxName), "message_id", foreign.Line(rec.ID, maxName))
		}
		return nil
	}
	order, err := parseRecord(rec.Body)
	if err != nil {
		if !r.strange {
			r.strange = true
			r.log.Warn("records on the stream of orders are ignored, because they are no orders that this program knows",
				"stream", r.stream, "message_id", foreign.Line(rec.ID, maxName), "err", foreign.Line(foreign.Text(err, maxLogged), maxLogged))
		}
		return nil
	}
	return &order
}

// judge says what an error means, and returns after what time to read again.
func (r *reader) judge(err error) time.Duration {
	gone, poisoned := errors.Is(err, journal.ErrGone), transport.EndedByMessage(err)
	if gone {
		r.folded = false // what comes next is another stream
	}
	text := foreign.Line(foreign.Text(err, maxLogged), maxLogged)
	r.say("orders may be missed: " + text)
	if gone || poisoned || isRefused(err) {
		r.ledger.settle() // waiting does not help
		r.tell(text, poisoned)
	}
	var denied *journal.DeniedError
	if poisoned || isRefused(err) && (!gone || errors.As(err, &denied)) { // what is gone can be declared again
		return lookAgain
	}
	return retryAfter/10 + rand.N(retryAfter)
}

// tell logs a trouble, once. poisoned says that nobody can read a record of the stream.
func (r *reader) tell(trouble string, poisoned bool) {
	if r.told == trouble {
		return
	}
	r.told = trouble
	do := "let this user read the stream and write to the default exchange, and let somebody declare the stream: this user, or bunnicula control"
	if poisoned {
		do = "somebody has published to the stream what no client of AMQP 0-9-1 can read: delete the stream, and processes that may declare it write into the new one what stands"
	}
	r.log.Warn("orders may be missed; the consumers work on as they are", "stream", r.stream, "err", trouble, "do", do)
}

// isRefused says whether the broker refuses something until somebody changes something.
func isRefused(err error) bool {
	var denied *journal.DeniedError
	var refused *publisher.RefusedError
	var closed *amqp.Error
	switch {
	case transport.Permanent(err), errors.Is(err, journal.ErrNoStream), errors.As(err, &denied):
		return true
	case errors.As(err, &refused):
		return isRefusal(refused.Code)
	case errors.As(err, &closed):
		return isRefusal(closed.Code)
	}
	return false
}

func isRefusal(code int) bool {
	return code == amqp.NotFound || code == amqp.AccessRefused || code == amqp.PreconditionFailed || code == amqp.NotAllowed
}
