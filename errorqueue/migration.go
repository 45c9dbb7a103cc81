package errorqueue

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/errorqueue/internal/filter"
	"github.com/bunnicula-go/bunnicula/internal/backoff"
	"github.com/bunnicula-go/bunnicula/topology"
)

// migration is one call of Move. It moves one queue after the other, each by rounds of its own. One
// goroutine uses it.
type migration struct {
	// Immutable.
	options MoveOptions
	base    *Queue // whose connection the old queues are read on
	all     *filter.Matcher
	tell    *reporter
	began   time.Time

	// Set by run before the first message is moved.
	sender *sender
	taker  taker

	legs      []*leg
	consumers int // of the old main queue; written by look
}

// leg is the part of a migration that is about one old queue. Only the migration's goroutine uses
// it.
type leg struct {
	passage passage // immutable
	queue   *Queue  // immutable
	mover   *mover  // set with the sender; counts over all rounds

	// Written by look.
	seen    bool
	missing bool
	waiting int
	left    int

	illegible int // written by move
}

const (
	lookAgain        = time.Second // between two passes with MoveOptions.Wait
	quarantineWindow = 10          // what a killed reader held counts as returned once more

	// Before RabbitMQ 4.3 a message that is given back counts as returned, as if its process had
	// died. So one that cannot be moved is replaced by a copy in its queue. These are for
	// Config.DeliveryLimit. A message that waits for a retry is given back once, because the delay
	// of a copy begins anew.
	uncounted   = 1
	countedOnce = 2
)

func newMigration(conn *connection.Connection, o MoveOptions, log *slog.Logger) *migration {
	m := &migration{options: o, began: time.Now(), consumers: -1, tell: newReporter(o.Progress, log)}
	m.all, _ = chosen(Filter{}, true, m.began) // the zero Filter is valid
	old := mainOf(o.From)
	cfg, _ := Config{Queue: old}.resolve() // the topology has checked the name
	m.base = newQueue(cfg)
	m.base.conn, m.base.log = conn, log.With("from", old, "to", mainOf(o.To))
	m.base.link = conn.Transport().Reading("move " + old)
	for _, p := range passages(o.From, o.To) {
		m.legs = append(m.legs, &leg{passage: p, queue: m.reading(p, old)})
	}
	return m
}

// reading opens one of the old queues as this package reads queues.
func (m *migration) reading(p passage, old string) *Queue {
	main := ""
	if p.from.Role == topology.RoleError && !p.shared {
		main = old
	}
	q := m.base.beside(main, p.from.Name)
	switch p.from.Role {
	case topology.RoleQuarantine:
		q.cfg.Window, q.cfg.DeliveryLimit = quarantineWindow, uncounted
	case topology.RoleMain:
		q.cfg.DeliveryLimit = uncounted
	case topology.RoleRetry:
		q.cfg.DeliveryLimit = countedOnce
	}
	stay := relocation{passage: p, old: old}.staying(m.options.From)
	q.replacement = func(d *held, t taker) envelope {
		stay.taker = t
		return stay.copyToStay(d, time.Now())
	}
	return q
}

func (m *migration) close(ctx context.Context) {
	if m.sender != nil {
		stop(m.sender)
	}
	m.base.Close(context.WithoutCancel(ctx))
}

func (m *migration) run(ctx context.Context) error {
	defer m.tell.end()
	if err := m.look(ctx); err != nil {
		return err
	}
	if err := m.check(ctx); err != nil || m.options.DryRun {
		return err
	}
	if err := m.prepare(ctx); err != nil {
		return err
	}
	for {
		err := m.pass(ctx)
		finish, cancel := outlast(ctx)
		m.tell.enter(PhaseWaiting)
		looked := m.look(finish)
		cancel()
		switch {
		case err != nil:
			return err
		case looked != nil, m.finished():
			return looked
		case !backoff.Wait(ctx, lookAgain):
			return context.Cause(ctx)
		}
	}
}

// look counts the messages of the old queues.
func (m *migration) look(ctx context.Context) error {
	s, err := m.base.link.Session(ctx)
	if err != nil {
		return err
	}
	there := false
	for _, l := range m.legs {
		n, consumers, err := look(ctx, s, l.passage.from.Name)
		switch {
		case errors.Is(err, errNotFound):
			n = 0
		case err != nil && !errors.Is(err, errNotAllowed):
			return err
		}
		if l.missing = errors.Is(err, errNotFound); !l.missing {
			there = true
		}
		if l.passage.from.Role == topology.RoleMain {
			m.consumers = consumers
		}
		if l.left = n; !l.seen {
			l.seen, l.waiting = true, n
		}
	}
	if !there {
		return ErrNoQueue
	}
	return nil
}

// check returns an error if a queue of the new consumer does not exist.
func (m *migration) check(ctx context.Context) error {
	s, err := m.base.link.Session(ctx)
	if err != nil {
		return err
	}
	waiting := 0
	var all []passage
	for _, l := range m.legs {
		waiting += max(0, l.waiting)
		all = append(all, l.passage)
	}
	for _, name := range destinations(all, m.options.To) {
		if _, err := count(ctx, s, name); errors.Is(err, errNotFound) {
			return &MissingTargetError{Queue: name, Messages: waiting, Source: fromCaller}
		} else if err != nil && !errors.Is(err, errNotAllowed) {
			return err
		}
	}
	return nil
}

// prepare makes the movers.
func (m *migration) prepare(ctx context.Context) (err error) {
	o := m.options
	if m.sender, m.taker, err = m.base.sender(ctx, o.Window); err != nil {
		return err
	}
	for _, l := range m.legs {
		r := relocation{passage: l.passage, old: mainOf(o.From), new: mainOf(o.To), to: o.To, taker: m.taker}
		l.mover = &mover{window: o.Window, rate: o.Rate}
		l.mover.copyTo(m.sender, func(d *held) envelope { return r.copyOf(d, time.Now()) })
	}
	return nil
}

// pass moves what is ready in each queue. A message that cannot be read holds up its own queue
// only.
func (m *migration) pass(ctx context.Context) error {
	var blocked error
	for _, l := range m.legs {
		switch {
		case l.passage.problem != "" || l.missing:
			continue
		case m.options.LeaveRetries && l.passage.from.Role == topology.RoleRetry:
			continue
		}
		err := m.move(ctx, l)
		if errors.As(err, new(*UnreadableError)) {
			blocked, err = cmp.Or(blocked, l.queue.failed(err)), nil
		}
		if err != nil && !errors.Is(err, ErrNoQueue) { // somebody has deleted an old queue
			return l.queue.failed(err)
		}
	}
	return blocked
}

// move moves what is ready in one queue.
func (m *migration) move(ctx context.Context, l *leg) error {
	most := -1
	if m.options.Limit > 0 {
		if most = m.options.Limit - m.moved(); most <= 0 {
			return nil
		}
	}
	s, err := m.base.link.Session(ctx)
	if err != nil {
		return err
	}
	if n, err := count(ctx, s, l.passage.from.Name); err == nil && n == 0 {
		return nil // most queues are empty
	}
	c := choice{filter: m.all, copies: true}
	if l.passage.shared {
		c.from = mainOf(m.options.From)
	}
	m.tell.queue = l.passage.from.Name
	r := &rounds{queue: l.queue, choice: c, mover: l.mover, report: m.tell, left: -1}
	err = r.run(ctx, most)
	l.illegible = r.illegible
	return err
}

func (m *migration) moved() (n int) {
	for _, l := range m.legs {
		if l.mover != nil {
			n += l.mover.tally.moved - l.mover.tally.again
		}
	}
	return n
}

// finished says whether another pass would be useless.
func (m *migration) finished() bool {
	if m.options.Limit > 0 && m.moved() >= m.options.Limit || time.Since(m.began) >= m.options.Wait {
		return true
	}
	for _, l := range m.legs {
		stays := l.passage.shared || l.passage.problem != "" && l.passage.from.Role != topology.RoleRetry
		if l.left > l.illegible+l.mover.tally.failed && !stays {
			return false
		}
	}
	return true
}

// report says what the migration has done.
func (m *migration) report(r MoveReport) MoveReport {
	r.Consumers = m.consumers
	var queues []MovedQueue
	for _, l := range m.legs {
		p := l.passage
		q := MovedQueue{
			Queue: p.from.Name, Role: p.from.Role, To: p.to, Missing: l.missing,
			Waiting: l.waiting, Left: l.left, Shared: p.shared, Problem: p.problem,
		}
		if l.mover != nil {
			t := l.mover.tally
			q.Moved = t.moved - t.again
			r.Moved, r.MaybeTwice, r.Failed = r.Moved+q.Moved, r.MaybeTwice+t.twice+t.forgot, r.Failed+t.failed
			r.Failures = append(r.Failures, t.failures...)
		}
		r.Illegible += l.illegible
		queues = append(queues, q)
	}
	return r.complete(queues)
}
