package journal

import (
	"context"
	"errors"
	"fmt"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/backoff"
	"github.com/bunnicula-go/bunnicula/internal/sending"
	"github.com/bunnicula-go/bunnicula/internal/transport"
)

const (
	// prefetch bounds what lies in memory. A broker sends some more, since it sends whole chunks.
	prefetch = 400
	// silence is how long the record that was seen last may take to come again, until somebody
	// looks whether it is there at all.
	silence = 5 * time.Second
	// markPatience is how long a Fold waits for the confirm of a mark. Then it reads: the mark may
	// be there all the same, and if it does not come, Fold writes another.
	markPatience = 10 * time.Second
	// endsWithin is how long a session may take to end after its channels.
	endsWithin = 500 * time.Millisecond
)

// Fold reads every record from the first up to the end as it is now: up to a mark that Fold writes.
// Records that were confirmed before Fold was called are among them. See in order; see must not
// keep the channel waiting for long. It returns the offset behind the last, to go on with Follow.
//
// Fold goes on over lost connections, until ctx ends. The error is see's, ctx's, ErrGone if there
// is no stream or it was deleted, or a *DeniedError.
func (j *Journal) Fold(ctx context.Context, see func(Record) error) (next int64, err error) {
	marks := map[string]bool{} // those of this call
	mark := func() error {
		d := Draft{ID: sending.NewID(), Type: markType, Plain: true, Body: []byte("{}")}
		marks[d.ID] = true
		patient, cancel := context.WithTimeout(ctx, markPatience)
		defer cancel()
		err := j.Append(patient, d)
		if ctx.Err() == nil && patient.Err() != nil {
			return nil
		}
		return err
	}
	if _, err := j.conn.Consuming().Session(ctx); err != nil { // patience begins with it
		return 0, fmt.Errorf("journal: read stream %q: %w", j.name(), err)
	}
	if err := mark(); err != nil {
		return 0, err
	}
	r := &reader{journal: j, next: 0, see: see, rest: mark, isEnd: func(r *Record) bool { return marks[r.ID] }}
	if err := r.run(ctx); err != nil {
		return 0, fmt.Errorf("journal: read stream %q: %w", j.name(), err)
	}
	j.mark.Store(&r.last)
	j.apart.Store(false)
	return r.next, nil
}

// Follow reads on from an offset until ctx ends, over all sessions. It returns ctx's error, see's,
// ErrGone if the stream was deleted, or what the broker refuses. Whatever next is, records that the
// broker has dropped for their age are not seen.
func (j *Journal) Follow(ctx context.Context, next int64, see func(Record) error) error {
	r := &reader{journal: j, next: next, see: see}
	if next > 0 {
		r.last, r.began = place{offset: next - 1}, true
		if mark := j.mark.Load(); mark != nil && mark.offset == next-1 {
			r.last = *mark
		}
	}
	if err := r.run(ctx); err != nil {
		return fmt.Errorf("journal: read stream %q: %w", j.name(), err)
	}
	return nil
}

// reader is one call of Fold or Follow. Its goroutine is the call's.
type reader struct {
	journal *Journal             // immutable
	see     func(Record) error   // immutable
	isEnd   func(r *Record) bool // immutable; nil is never
	rest    func() error         // immutable; called once all is silent for long; nil is nothing

	next  int64 // the offset to go on at
	last  place // the record before next, if began
	began bool
}

// errEnd ends a reader that is at its end.
var errEnd = errors.New("the end")

// run reads in one session after the other. It returns nil at the end, which only a Fold has.
func (r *reader) run(ctx context.Context) error {
	pause := backoff.Backoff{Min: 20 * time.Millisecond, Max: 2 * time.Second}
	source := newSource(r.journal)
	defer source.close()
	for {
		s, err := source.link.Session(ctx)
		if err != nil {
			return err
		}
		before := r.next
		err = r.session(ctx, s, source.prefetch())
		var own *stop
		switch {
		case errors.Is(err, errEnd):
			return nil
		case errors.As(err, &own):
			return own.err
		case ctx.Err() != nil:
			return context.Cause(ctx)
		}
		if why := whyNotRead(r.journal.cfg.Stream, err); why != nil {
			return why
		}
		if r.next != before {
			pause.Reset()
		}
		if why := source.lost(transport.WhyEnded(ctx, s, endsWithin), r.next != before); why != nil {
			return fmt.Errorf("a record behind offset %d: %w", r.next-1, why)
		}
		r.journal.log.DebugContext(ctx, "stream is read again", "next", r.next, "err", err)
		backoff.Wait(ctx, pause.Next())
	}
}

// stop is an error that no other session would mend.
type stop struct{ err error }

func (s *stop) Error() string { return s.err.Error() }

// session reads until the channel ends.
func (r *reader) session(ctx context.Context, s transport.Session, prefetch int) error {
	var from any = "first"
	if r.began {
		from = r.last.offset // so that it comes again, if it is the same stream
	}
	sub, err := subscribe(ctx, s, r.journal.cfg.Stream, from, prefetch)
	if err != nil {
		return err
	}
	defer sub.end()
	unsure := r.began
	quiet := time.NewTimer(silence)
	defer quiet.Stop()
	for {
		select {
		case d, ok := <-sub.in:
			if !ok {
				return sub.why()
			}
			if err := r.take(&d, &unsure); err != nil {
				return err
			}
			if err := sub.done(&d); err != nil {
				return err
			}
			if r.rest != nil {
				quiet.Reset(silence)
			}
		case <-quiet.C:
			if err := r.silent(ctx, s, unsure); err != nil {
				return err
			}
			quiet.Reset(silence)
		case <-s.Retired().Done():
			return errors.New("another session has taken its place")
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// take lets a record be seen, if it is its turn.
func (r *reader) take(d *amqp.Delivery, unsure *bool) error {
	record, ok := recordOf(d)
	if !ok {
		return &stop{ErrNoStream}
	}
	if r.began {
		switch compare(r.last, *unsure, &record) {
		case isAnother:
			return &stop{fmt.Errorf("%w: there is another record at offset %d than before", ErrGone, record.Offset)}
		case isSeen:
			*unsure = false
			r.last = placeOf(&record)
			return nil
		}
	}
	*unsure = false
	if record.Type != markType {
		if err := r.see(record); err != nil {
			return &stop{err}
		}
	}
	r.last, r.next, r.began = placeOf(&record), record.Offset+1, true
	if r.isEnd != nil && r.isEnd(&record) {
		return errEnd
	}
	return nil
}

// silent is called when nothing has come for long. A stream never drops its last record: so if the
// one that was seen last does not come again, it is another stream, or the broker is slow.
func (r *reader) silent(ctx context.Context, s transport.Session, unsure bool) error {
	if unsure {
		end, err := endOf(ctx, s, r.journal.cfg.Stream)
		if err == nil && end < r.last.offset {
			return &stop{fmt.Errorf("%w: it ends before offset %d, which was there", ErrGone, r.last.offset)}
		}
		return err
	}
	if r.rest == nil {
		return nil
	}
	if err := r.rest(); err != nil {
		return &stop{err}
	}
	return nil
}
