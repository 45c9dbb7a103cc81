package outbox

import (
	"context"
	"errors"
	"time"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/internal/foreign"
	"github.com/bunnicula-go/bunnicula/publisher"
)

// fate is what became of a row that a relay has taken.
type fate int

const (
	unanswered fate = iota // not published, or nobody knows: the row stays as it is
	confirmed              // the broker has it
	refused                // it is tried again later
	givenUp                // it is not tried again
)

// outcome is a fate with what the row remembers of it.
type outcome struct {
	fate fate
	wait time.Duration // until the next attempt
	text string        // the error's
}

// maxErrorText is how many bytes of an error a row keeps.
const maxErrorText = 1 << 10

// judge decides what becomes of a row from the error of its publish. attempts is how many it has
// had before.
//
// An error of the connection is no attempt: the row is not to blame. A full queue is one, so that
// the delay grows, but never the last: the queue will have room. So is a queue that does not
// confirm, such as one without its majority: its rows would be the first that are taken each time,
// and nothing else would get on.
func judge(err error, attempts, maxAttempts int, backoff func(attempt int) time.Duration) outcome {
	attempts++
	switch {
	case err == nil:
		return outcome{fate: confirmed}
	case isUnanswered(err) && !errors.Is(err, errLate):
		return outcome{}
	case errors.Is(err, publisher.ErrNacked), errors.Is(err, errLate), maxAttempts == NoMaxAttempts, attempts < maxAttempts:
		return outcome{fate: refused, wait: max(0, backoff(attempts)), text: storable(err)}
	}
	return outcome{fate: givenUp, text: storable(err)}
}

// isUnanswered says whether an error tells nothing of the message: it was not sent, or not
// confirmed before the connection or the time ended.
func isUnanswered(err error) bool {
	var login *connection.RefusedError
	return errors.Is(err, publisher.ErrUnconfirmed) || errors.Is(err, publisher.ErrClosed) ||
		errors.Is(err, connection.ErrClosed) || errors.Is(err, publisher.ErrNotSent) || errors.As(err, &login) ||
		errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// storable is an error's text as both databases take it.
func storable(err error) string { return foreign.Line(err.Error(), maxErrorText) }

// doubling is the delay before the next attempt of a RelayConfig that sets none.
func doubling(attempt int) time.Duration {
	const first, longest = time.Second, 5 * time.Minute
	if attempt > 9 { // 1s << 9 is above the longest
		return longest
	}
	return min(first<<max(0, attempt-1), longest)
}

// scan is which keys a relay looks at. The zero scan looks at the keys of the rows that are due
// first, which takes the same time however many rows there are. It is blind if all of them stand
// behind rows that cannot be published, or that another relay has: then a scan goes through the
// keys themselves, some at a time, in their order.
//
// It is no cursor over rows. A scan of keys that has come to the end begins anew.
type scan struct {
	keys  bool
	after string // the last key that was looked at
}

// seen is what a relay found where it looked.
type seen struct {
	rows  int    // that it took
	keyed int    // of these have a key
	full  bool   // there are more keys to look at, or more rows for their keys
	last  string // the last key, of a scan of keys
	busy  bool   // another relay has the lease
}

// next says where a relay looks next, and whether at once.
func (s scan) next(found seen, batch int) (then scan, now bool) {
	if found.busy {
		return scan{}, false
	}
	if found.full && found.keyed < batch/4 {
		if !s.keys { // begin with the first key
			found.last = ""
		}
		return scan{keys: true, after: found.last}, true
	}
	return scan{}, found.rows > 0
}

// followers is how many rows are taken behind the first of each key, when the last look found rows
// of so many keys. It is a power of two: each number is a statement of its own.
func followers(batch, keys int) int {
	n := 1
	for n < 64 && n*2*max(1, keys) <= 2*batch {
		n *= 2
	}
	return n
}
