package journal

import (
	"context"

	"github.com/bunnicula-go/bunnicula/internal/transport"
)

// source is the link that a reader reads on. Its reader's goroutine uses it.
//
// A record may end the connection of whoever reads it: one of another protocol that the broker
// cannot convert, or one that the client library cannot read. So a reader whose session a message
// has ended goes on with a link of its own, where it hurts no consumer, and gives up when that
// changes nothing. So do those that come after it.
type source struct {
	journal *Journal // immutable
	link    transport.Link
	isOwn   bool
	losses  int // of the own link, in a row and without a record
}

func newSource(j *Journal) *source {
	s := &source{journal: j, link: j.conn.Consuming()}
	if j.apart.Load() {
		s.part()
	}
	return s
}

// part goes on with a link of its own.
func (s *source) part() { s.link, s.isOwn = s.journal.conn.Reading("journal"), true }

// patience is how often the own link may be lost at the same record.
const patience = 3

// prefetch is 1 once the own link was lost: what the client has read ahead is lost with a
// connection, and the reader would not come up to the record that ends it.
func (s *source) prefetch() int {
	if s.losses > 0 {
		return 1
	}
	return prefetch
}

// lost decides how to go on after the end of a session: it returns an error if that is for no use.
func (s *source) lost(why error, progress bool) error {
	if progress {
		s.losses = 0
	}
	if !transport.EndedByMessage(why) {
		return nil
	}
	if !s.isOwn {
		s.journal.apart.Store(true)
		s.part()
		return nil
	}
	if s.losses++; s.losses < patience {
		return nil
	}
	return why
}

// close closes the own link.
func (s *source) close() {
	if !s.isOwn {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), goodbye)
	defer cancel()
	s.link.Close(ctx)
}
