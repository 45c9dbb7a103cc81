package control

import (
	"context"
	"errors"
	"hash/fnv"
	"log/slog"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/foreign"
	"github.com/bunnicula-go/bunnicula/internal/journal"
)

// scribe writes standing orders again before the stream drops them. All processes do so, each a
// little later than the one before: whoever reads that it was done leaves it.
type scribe struct {
	ledger  *ledger          // immutable
	journal *journal.Journal // immutable
	process string           // immutable; its id
	maxAge  time.Duration    // immutable
	log     *slog.Logger     // immutable
	changed signal           // set by the ledger

	told bool // that this user may not write; only run uses it
}

func (s *scribe) run(ctx context.Context) {
	var rest time.Time // before which nothing is written
	for ctx.Err() == nil {
		now := time.Now()
		again, next := s.ledger.due(now, s.after)
		if len(again) > 0 {
			if now.Before(rest) {
				next = earlier(next, rest)
			} else {
				rest = time.Now().Add(s.write(ctx, again))
				continue
			}
		}
		due, stop := alarm(next)
		select {
		case <-due:
		case <-s.changed:
		case <-ctx.Done():
		}
		stop()
	}
}

// after is how old the last record of an order is when this process writes it again: half the
// stream's age, and up to three quarters.
func (s *scribe) after(id string) time.Duration {
	h := fnv.New32a()
	_, _ = h.Write([]byte(s.process + id)) // never fails
	return s.maxAge/2 + time.Duration(h.Sum32()%1000)*(s.maxAge/4)/1000
}

// write appends orders, and returns how long to write nothing after it. They are not due any more
// when the reader has read them.
func (s *scribe) write(ctx context.Context, again []record) (rest time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err := s.journal.Append(ctx, drafts(again)...)
	switch {
	case err == nil:
		s.told = false
		return min(patience, s.maxAge/16)
	case isRefused(err):
		if !s.told {
			s.told = true
			s.log.Debug("standing orders are not written again by this process", "err", foreign.Line(foreign.Text(err, maxLogged), maxLogged))
		}
		return s.maxAge / 8
	case !errors.Is(err, context.Canceled):
		s.log.Debug("standing orders were not written again", "err", foreign.Line(foreign.Text(err, maxLogged), maxLogged))
	}
	return min(patience, s.maxAge/16)
}

// drafts makes records for the stream.
func drafts(records []record) []journal.Draft {
	all := make([]journal.Draft, len(records))
	for i := range records {
		all[i] = journal.Draft{ID: records[i].ID, Type: string(records[i].Kind), Body: records[i].body()}
	}
	return all
}
