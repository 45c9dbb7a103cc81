package outbox

import (
	"context"
	"time"
)

// row is one that a relay has taken.
type row struct {
	stored

	seq      int64
	tid      string // where PostgreSQL has it; nobody moves it while it is locked
	attempts int    // that it has had
	hasJob   bool

	outcome outcome // written by who publishes it
}

// columns are those that a row is read of.
const columns = `o.seq, o.id, o.exchange, o.routing_key, o.properties, o.body, o.attempts, o.job IS NOT NULL`

// fields are where the columns go.
func (r *row) fields() []any {
	return []any{&r.seq, &r.id, &r.exchange, &r.routingKey, &r.properties, &r.body, &r.attempts, &r.hasJob}
}

// chain is rows of one key in their order, or one row without a key. A row is published when the
// one before it is confirmed.
type chain []*row

// ask is what a relay asks for.
type ask struct {
	scan      scan
	followers int // how many rows behind the first of each key
}

// haul is what was taken at once.
type haul struct {
	chains []chain
	byKey  map[string]int // which chain a key has
	seen   seen
	taken  time.Time // before long it may be another relay's: see publishing

	settler settler
}

// settler ends what a take has begun. One of its methods is called, once.
type settler interface {
	// settle writes down what became of the rows, and lets go of them: within maxSettle once hurry
	// has ended.
	settle(hurry context.Context, r results) error
	// drop lets go of the rows as they are.
	drop()
}

// publishing is the context in which the haul is published. It ends in time to settle before the
// lease ends, also in a process that stood still since the take.
func (h *haul) publishing(ctx context.Context) (context.Context, context.CancelFunc) {
	left := min(maxPublish, time.Until(h.taken.Add(lease-maxSettle)))
	return context.WithTimeoutCause(ctx, left, errLate)
}

// add adds a row that is so many places behind the first of its key. A row that misses the one
// before it is left out: it was locked by somebody, or may not be published yet.
func (h *haul) add(r *row, key string, place int) {
	if key == "" {
		h.chains = append(h.chains, chain{r})
		h.seen.rows++
		return
	}
	at, there := h.byKey[key]
	switch {
	case place == 0 && !there:
		if h.byKey == nil {
			h.byKey = map[string]int{}
		}
		h.byKey[key] = len(h.chains)
		h.chains = append(h.chains, chain{r})
	case there && place == len(h.chains[at]):
		h.chains[at] = append(h.chains[at], r)
	default:
		return
	}
	h.seen.rows++
	h.seen.keyed++
}

// results are rows by what became of them, for statements that change many at once. Rows without an
// answer are in left.
type results struct {
	gone   []*row // confirmed
	sent   []*row // confirmed, and a job counts them
	others map[outcome][]*row
	left   []*row
}

func (h *haul) results() results {
	r := results{others: map[outcome][]*row{}}
	for _, c := range h.chains {
		for _, row := range c {
			switch o := row.outcome; {
			case o.fate == unanswered:
				r.left = append(r.left, row)
			case o.fate != confirmed:
				r.others[o] = append(r.others[o], row)
			case row.hasJob:
				r.sent = append(r.sent, row)
			default:
				r.gone = append(r.gone, row)
			}
		}
	}
	return r
}

// confirmed is how many rows the broker has.
func (r *results) confirmed() int { return len(r.gone) + len(r.sent) }

// state is that of a row that was not confirmed.
func (o outcome) state() State {
	if o.fate == givenUp {
		return Failed
	}
	return Waiting
}
