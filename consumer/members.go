package consumer

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// manyConsumers is how many consumers a Group has at most whose beginnings and ends are logged one
// by one.
const manyConsumers = 10

// each calls f for all members side by side, and returns their errors in their order.
func each(members []*member, f func(*member) error) []error {
	errs := make([]error, len(members))
	var all sync.WaitGroup
	for i, m := range members {
		all.Go(func() { errs[i] = f(m) })
	}
	all.Wait()
	return errs
}

// lazy returns whether a member may not have begun when it has started.
func lazy(members []*member) bool {
	return slices.ContainsFunc(members, func(m *member) bool { return m.c.conn != nil && m.c.conn.Lazy() })
}

// announceStart logs one line for many consumers that have begun.
func announceStart(members []*member, began time.Time) {
	slots := 0
	for _, m := range members {
		slots += m.c.spec.Concurrency
	}
	logOf(members).Info("consumers started", "consumers", len(members), "concurrency", slots, "took", time.Since(began).Round(time.Millisecond))
}

// logOf is the logger of the first member: a Group has none of its own.
func logOf(members []*member) *slog.Logger { return members[0].c.announcer.base }

// announceStop logs what concerns all members that have begun and do not stop yet.
func announceStop(ctx context.Context, members []*member) {
	members = slices.DeleteFunc(slices.Clone(members), func(m *member) bool { return !m.c.works() })
	have, bounded := timeOf(ctx)
	many := len(members) > manyConsumers
	var slowest *Consumer
	handlers, hurried := 0, 0
	for _, m := range members {
		c := m.c
		c.announcer.many.Store(many)
		handlers += len(c.pool.underway())
		if !c.spec.patient(have) {
			hurried++
			if slowest == nil || c.spec.Timeout > slowest.spec.Timeout {
				slowest = c
			}
		}
	}
	if bounded && slowest != nil {
		slowest.log.Warn(hurry, "timeout", slowest.spec.Timeout, "handlers_have", have.Round(time.Millisecond), "consumers", hurried)
	}
	if many {
		attrs := []any{"consumers", len(members), "running", handlers}
		if bounded {
			attrs = append(attrs, "handlers_have", have.Round(time.Millisecond))
		}
		logOf(members).Info("consumers stop", attrs...)
	}
}
