package console

import (
	"context"
	"slices"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/management"
)

const (
	historyFor   = 3 * time.Second  // of the API's answer
	historyEvery = 20 * time.Second // at most, of one queue
	keptEvery    = time.Hour
	mostAsked    = 200 // queues whose history is kept
)

// span is the time that a chart shows.
type span struct {
	age, step time.Duration
	day       bool
}

var (
	hourSpan = span{age: time.Hour, step: time.Minute}
	daySpan  = span{age: 24 * time.Hour, step: 30 * time.Minute, day: true}
)

// past is what a queue was, as somebody tells. It is immutable.
type past struct {
	span

	at     time.Time
	points []management.Point
	api    bool          // the management API has told, and not what this console has seen
	kept   time.Duration // for how long the API keeps it, 0 if unknown
	err    error         // why the API did not tell
}

// histories asks the management API for what queues were. All viewers share its answers.
type histories struct {
	api *management.Client // nil without one; immutable

	turn   chan struct{}     // holds a token while nobody asks
	kept   time.Duration     // of who has the token
	keptAt time.Time         // of who has the token
	latest map[askedOf]*past // of who has the token
}

type askedOf struct {
	queue string
	day   bool
}

func newHistories(api *management.Client) *histories {
	h := &histories{api: api, turn: make(chan struct{}, 1), latest: map[askedOf]*past{}}
	h.turn <- struct{}{}
	return h
}

// ask returns what a queue was, 20 s old at most; nil without an API.
func (h *histories) ask(ctx context.Context, vhost, queue string, s span) *past {
	if h.api == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, historyFor)
	defer cancel()
	select {
	case <-h.turn:
	case <-ctx.Done():
		return &past{span: s, at: time.Now(), err: context.Cause(ctx)}
	}
	defer func() { h.turn <- struct{}{} }()
	key := askedOf{queue, s.day}
	if p := h.latest[key]; p != nil && time.Since(p.at) < historyEvery {
		return p
	}
	p := h.fetch(ctx, vhost, queue, s)
	if p.err == nil || ctx.Err() == nil {
		h.keep(key, p)
	}
	return p
}

// fetch asks the API. Who calls it has the token.
func (h *histories) fetch(ctx context.Context, vhost, queue string, s span) *past {
	p := &past{span: s}
	defer func() { p.at = time.Now() }()
	if time.Since(h.keptAt) >= keptEvery {
		if h.kept, p.err = h.api.Kept(ctx); p.err != nil {
			return p
		}
		h.keptAt = time.Now()
	}
	p.kept = h.kept
	if p.kept > 0 && p.kept < s.age { // it would say 0 for what it has not kept
		return p
	}
	p.points, p.err = h.api.History(ctx, vhost, queue, s.age, s.step)
	p.api = p.err == nil
	return p
}

// keep keeps an answer, and drops those that are too old to be used. Who calls it has the token.
func (h *histories) keep(key askedOf, p *past) {
	for k, old := range h.latest {
		if time.Since(old.at) >= historyEvery || len(h.latest) >= mostAsked {
			delete(h.latest, k)
		}
	}
	h.latest[key] = p
}

// pastOf returns what a queue was: as the management API tells, or else as this console has seen
// it.
func (a *answer) pastOf(l *look, queue string, s span) *past {
	p := a.console.histories.ask(a.r.Context(), l.peer.VHost, queue, s)
	if p != nil && p.api {
		return p
	}
	own := &past{span: s, at: l.at, points: a.console.broker.seen.points(queue, s.day)}
	if p == nil {
		return own
	}
	own.kept, own.err = p.kept, p.err
	if s.day && p.err == nil {
		hour := a.console.histories.ask(a.r.Context(), l.peer.VHost, queue, hourSpan)
		own.points = joined(own.points, hour.points)
	}
	return own
}

// joined is what was seen before the API's points, and those.
func joined(seen, api []management.Point) []management.Point {
	if len(api) == 0 {
		return seen
	}
	seen = slices.DeleteFunc(seen, func(p management.Point) bool { return !p.At.Before(api[0].At) })
	return append(seen, api...)
}
