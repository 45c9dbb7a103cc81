package consumer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/effective"
	"github.com/bunnicula-go/bunnicula/internal/transport"
	"github.com/bunnicula-go/bunnicula/topology"
)

// policies knows what the broker's policies make of the consumer's queues, as far as the management
// API tells. A timer looks during each session: the supervisor starts it, and waits for its end.
type policies struct {
	topology topology.Topology // immutable
	log      *slog.Logger      // immutable

	problems atomic.Pointer[[]string] // look; Health reads it
	degraded atomic.Bool              // look: the main queue is known not to dead-letter at least once
	told     []string                 // look: what was logged last
	untold   string                   // look: why it could not look, as was logged last
}

const (
	lookSoon  = 2 * time.Second  // after a look that learned nothing
	lookTwice = 10 * time.Second // after the first look; the API's answers are up to 5 s old
	lookAgain = 5 * time.Minute  // a policy may change
)

// watch looks until the returned function is called. Between two looks there is a timer and no
// goroutine, because an app may have hundreds of idle consumers.
func (p *policies) watch(ctx context.Context, conn transport.Connection) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var looking sync.Mutex // held during a look
	var timer *time.Timer
	pause := lookTwice
	looking.Lock() // until timer is set
	defer looking.Unlock()
	timer = time.AfterFunc(0, func() {
		looking.Lock()
		defer looking.Unlock()
		if ctx.Err() != nil {
			return
		}
		err := p.look(ctx, conn)
		p.cannot(err)
		switch {
		case errors.Is(err, effective.ErrUnknown), ctx.Err() != nil:
		case err != nil:
			timer.Reset(lookSoon)
		default:
			timer.Reset(pause)
			pause = lookAgain
		}
	})
	return func() {
		cancel()
		looking.Lock() // a look ends soon now
		defer looking.Unlock()
		timer.Stop()
	}
}

// cannot logs why nothing is known of policies, once for each reason.
func (p *policies) cannot(err error) {
	switch {
	case err == nil:
		p.untold = ""
		return
	case errors.Is(err, effective.ErrNotYet), errors.Is(err, context.Canceled), err.Error() == p.untold:
		return
	}
	p.untold = err.Error()
	if errors.Is(err, effective.ErrUnknown) {
		p.log.Info("policies are not looked at", "why", err)
		return
	}
	p.log.Warn("policies cannot be looked at", "err", err)
}

// look asks for each queue. After an error what was known before is kept.
func (p *policies) look(ctx context.Context, conn transport.Connection) error {
	var queues []effective.Queue
	for _, want := range p.topology.Queues {
		q, err := conn.Effective(ctx, want.Name)
		if err != nil {
			return err
		}
		queues = append(queues, q)
	}
	problems, degraded := []string{}, false
	for i, want := range p.topology.Queues {
		if want.Role == topology.RoleMain {
			degraded = !queues[i].DeadLettersSafely()
		}
		for _, one := range queues[i].Problems(want) {
			problems = append(problems, fmt.Sprintf("queue %s: %s", want.Name, one.Problem))
			p.tell(want.Name, one, problems[len(problems)-1])
		}
	}
	p.told = problems
	p.problems.Store(&problems)
	p.degraded.Store(degraded)
	return nil
}

// tell logs a problem that the last look did not find.
func (p *policies) tell(queue string, one effective.Problem, problem string) {
	if slices.Contains(p.told, problem) {
		return
	}
	level := slog.LevelWarn
	if one.Serious {
		level = slog.LevelError
	}
	p.log.Log(context.Background(), level, "a queue is not set up as the consumer needs it", "queue", queue, "problem", one.Problem, "why", one.Why, "do", one.Do, "see", one.See)
}

// found returns the problems; Health shows them.
func (p *policies) found() []string {
	if all := p.problems.Load(); all != nil {
		return slices.Clone(*all)
	}
	return nil
}
