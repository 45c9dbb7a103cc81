package outbox

import (
	"context"
	"errors"
	"time"

	"github.com/bunnicula-go/bunnicula/publisher"
)

// calm is how long rows are published behind others of their key. After it what is in flight is
// waited for, and the rest is left for the next look.
const calm = 3 * time.Second

// press publishes the rows of hauls.
type press struct {
	pub         publisher.Publisher             // immutable
	maxAttempts int                             // immutable
	backoff     func(attempt int) time.Duration // immutable
	open        func() bool                     // immutable: whether the broker takes messages; nil if it does
}

// errLate is why the publishing of a haul ends.
var errLate = errors.New("the broker has not confirmed it in time")

// inFlight is the first row of a chain, which the broker has not confirmed yet.
type inFlight struct {
	chain        chain
	confirmation publisher.Confirmation
}

// publish publishes rows until all have an outcome, until ctx ends, or until stop ends and those in
// flight have one. A row goes out when the one before it in its key is confirmed, whatever the
// others do. It returns the first error that says nothing of its row, if there is one.
func (p press) publish(ctx context.Context, stop <-chan struct{}, chains []chain) (trouble error) {
	began := time.Now()
	flying := make([]inFlight, 0, len(chains))
	answer := func(c chain, err error) bool {
		r := c[0]
		late := errors.Is(err, errLate)
		if r.outcome = (outcome{}); !late || p.open == nil || p.open() {
			r.outcome = judge(err, r.attempts, p.maxAttempts, p.backoff)
		}
		if (late || r.outcome.fate == unanswered) && trouble == nil {
			trouble = err
		}
		return r.outcome.fate == confirmed
	}
	begin := func(c chain) {
		for ; len(c) > 0; c = c[1:] {
			confirmation, err := p.begin(ctx, c[0])
			if err == nil {
				flying = append(flying, inFlight{c, confirmation})
				return
			}
			if !answer(c, err) {
				return
			}
		}
	}
	for _, c := range chains {
		if isOver(ctx) || isClosed(stop) {
			break
		}
		begin(c)
	}
	for i := 0; i < len(flying); i++ {
		f := flying[i]
		flying[i] = inFlight{}
		if answer(f.chain, await(ctx, f.confirmation)) && !isOver(ctx) && !isClosed(stop) && time.Since(began) < calm {
			begin(f.chain[1:])
		}
	}
	return trouble
}

func (p press) begin(ctx context.Context, r *row) (publisher.Confirmation, error) {
	env, err := r.message()
	if err != nil {
		return nil, err
	}
	payload, option := publication(&env)
	return p.pub.PublishAsync(ctx, env.RoutingKey, payload, option)
}

// await waits for a confirmation, or until ctx ends.
func await(ctx context.Context, c publisher.Confirmation) error {
	select {
	case <-c.Done():
		return c.Err()
	case <-ctx.Done():
	}
	select {
	case <-c.Done():
		return c.Err()
	default:
		return context.Cause(ctx)
	}
}

// isOver says whether ctx has ended. In a process that stood still its timer may be late, and the
// rows another relay's.
func isOver(ctx context.Context) bool {
	deadline, ok := ctx.Deadline()
	return ctx.Err() != nil || ok && !time.Now().Before(deadline)
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
