package consumer

import (
	"fmt"

	"github.com/bunnicula-go/bunnicula/internal/foreign"
)

// Order is what somebody outside of the app wants of a consumer: an operator, by package control.
// The zero Order wants nothing.
type Order struct {
	Paused bool   // takes no messages, as after Pause
	Limit  int    // at most so many handlers at once; 0 for no limit
	Why    string // who ordered it, and why, for Health and the log, which have 512 bytes of it
}

// mostWhy is how many bytes of an Order's Why are kept.
const mostWhy = 512

// wants returns whether the order changes what a consumer does.
func (o Order) wants() bool { return o.Paused || o.Limit > 0 }

// Obey carries an Order out, in the place of the one before. It returns at once. What the app
// itself has said by Pause and Limit stays beside it: the consumer works if neither has paused it,
// and the lower limit counts. A Limit above Spec.Concurrency is the Concurrency, and a negative one
// is none. Obey may be called before Start, and twice. The log says what has changed, and why.
func (c *Consumer) Obey(o Order) {
	o.Limit = min(max(o.Limit, 0), c.spec.Concurrency)
	o.Why = foreign.Line(o.Why, mostWhy)
	before := c.control.update(func(w *wanted) { w.order = o })
	c.announcer.obeys(before.order, o)
}

// Limit lets at most n handlers run at once from now on; handlers that run go on. 0 lifts the
// limit. It returns at once. The consumer also takes fewer messages ahead: in the proportion of n
// to the Concurrency, or max(2n, DefaultPrefetch) if the Spec leaves the Prefetch open. The error
// says that n is negative or above Spec.Concurrency; nothing has changed then.
//
// Handlers that are stuck count: with n of them the consumer takes nothing until one returns or the
// limit is raised.
func (c *Consumer) Limit(n int) error {
	if n < 0 || n > c.spec.Concurrency {
		return fmt.Errorf("consumer %q: Limit is %d, want 1 to the Concurrency, %d, or 0 for none", c.spec.Name, n, c.spec.Concurrency)
	}
	c.control.update(func(w *wanted) { w.most = n })
	return nil
}

// obeys logs that another order stands.
func (a *announcer) obeys(before, o Order) {
	if before == o || !before.wants() && !o.wants() {
		return
	}
	what := "consumer resumed"
	switch {
	case o.Paused:
		what = "consumer paused"
	case o.Limit > 0:
		what = "consumer limited"
	}
	w := a.control.get()
	a.log.Info(what, "queue", a.spec.Queue, "why", o.Why, "paused", w.isPaused(), "limit", w.limit())
}
