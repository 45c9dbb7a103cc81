package use

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/slots"
)

// AtMost is middleware that runs at most n handlers of one key at once in this process. A message
// that finds n running waits in its slot if one is about to end. Otherwise it snoozes, for as long
// as the messages before it in the line of its key need; that is estimated from how long handlers
// of the key took. Consumers need Spec.Delays of topology.Ladder for that.
//
//	what happens                          what becomes of the message
//	fewer than n handlers of its key run  handled
//	one is about to end, and does         handled then
//	n run for longer                      snoozed, for the estimated time
//	the key function panics               retried, as after any panic
//	the consumer stops meanwhile          interrupted: it is in its queue again
//
// A message waits in its slot for at most half a second when it comes first, and for two and a half
// when it comes again in time.
//
// It does not promise an order, nor n at once in a fleet: several processes run n each. A message
// costs some three snoozes while its key is busy, and seven where handlers take half a minute,
// because nobody knows how long they will take.
func AtMost(n int, key func(consumer.Delivery) string) consumer.Middleware {
	return func(next consumer.Handler) consumer.Handler {
		switch {
		case n < 1:
			panic(fmt.Errorf("use.AtMost: n is %d, want 1 or more", n))
		case key == nil:
			panic(errors.New("use.AtMost: the key function is nil"))
		}
		h := newHall(n)
		return func(ctx context.Context, d consumer.Delivery) consumer.Result {
			h.crowd.enter()
			defer h.crowd.leave()
			r, away := h.enter(ctx, short(key(d)), d.MessageID)
			if r == nil {
				return snooze(away, ErrLimit)
			}
			began := time.Now()
			defer func() { h.leave(r, time.Since(began)) }()
			return next(ctx, d)
		}
	}
}

// firstMean is how long handlers are taken to need before one has ended.
const firstMean = 100 * time.Millisecond

// Of handlers that take far longer than others of their key.
const (
	enoughEnds = 8 // so many must have ended
	outlier    = 8 // and it counts as so many times as long as those
)

// hall has the rooms of all keys. It belongs to one consumer.
type hall struct {
	n     int       // immutable
	start time.Time // times count from here; immutable
	crowd crowd

	mu    sync.Mutex // guards what is below, and all rooms
	rooms map[string]*room
	mean  time.Duration // that a handler of any key takes
	swept time.Duration
}

func newHall(n int) *hall {
	return &hall{n: n, start: time.Now(), rooms: map[string]*room{}, mean: firstMean}
}

// room is what is known of one key.
type room struct {
	running int
	waiting []chan struct{} // in their slots, the first to go first; closed for who may go
	mean    time.Duration   // that a handler takes
	ends    int             // how many have ended
	ended   time.Duration   // when the last one ended, or the first one began
	places  places          // of those that snooze
}

// enter returns the room of the key when the handler may run, and otherwise how long the message is
// to snooze.
func (h *hall) enter(ctx context.Context, key, id string) (*room, time.Duration) {
	h.crowd.waiting.Add(1)
	defer h.crowd.waiting.Add(-1)
	a := Ask{Key: key, ID: id, Near: near}
	a.Patience, a.First = h.crowd.patience(ctx, slots.Patience(ctx))
	r, turn, wait := h.ask(a)
	if turn == nil {
		return r, wait
	}
	await(ctx, turn, wait)
	return h.waited(r, turn, a)
}

// ask answers a message. It may run if there is a room and no turn. With a turn it is to wait that
// long for it, and without a room to snooze.
func (h *hall) ask(a Ask) (r *room, turn chan struct{}, wait time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Since(h.start)
	h.sweep(now)
	r = h.rooms[a.Key]
	if r == nil {
		r = &room{mean: h.mean, ended: now, places: newPlaces()}
		h.rooms[strings.Clone(a.Key)] = r
	}
	if r.running == 0 {
		r.ended = now
	}
	if r.running < h.n {
		r.places.leave(a.ID)
		r.running++
		return r, nil, 0
	}
	patience := a.First
	if r.places.inTime(now, a) {
		patience = a.Patience
	}
	if h.every(r, now)*time.Duration(len(r.waiting)+1) <= patience {
		turn = make(chan struct{})
		r.waiting = append(r.waiting, turn)
		return r, turn, patience
	}
	return nil, nil, h.again(r, now, a)
}

// waited is about a message that waits no more, because its turn has come or in vain. It may run if
// it is not among those that wait: who let it go has taken it out.
func (h *hall) waited(r *room, turn chan struct{}, a Ask) (*room, time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i, other := range r.waiting {
		if other == turn {
			r.waiting = append(r.waiting[:i], r.waiting[i+1:]...)
			return nil, h.again(r, time.Since(h.start), a)
		}
	}
	return r, 0
}

// leave is called when a handler has ended. The next one that waits takes its turn.
func (h *hall) leave(r *room, took time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	r.ended = time.Since(h.start)
	if r.ends++; r.ends > enoughEnds {
		took = min(took, outlier*r.mean)
	}
	r.mean += (took - r.mean) / 8
	h.mean += (took - h.mean) / 8
	if len(r.waiting) == 0 {
		r.running--
		return
	}
	close(r.waiting[0])
	r.waiting = r.waiting[1:]
}

// every returns the time between the ends of two handlers of a key. Handlers may need longer than
// those that have ended. But one that runs far longer than all of them, when there were enough,
// says little of how long the next ones take.
func (h *hall) every(r *room, now time.Duration) time.Duration {
	running := now - r.ended
	if r.ends >= enoughEnds {
		running = min(running, outlier*r.mean)
	}
	return max(r.mean, running) / time.Duration(h.n)
}

// again returns how long a message is to snooze. Handlers take longer and shorter, so places are
// closer than handlers end where those are far apart. So the key is not idle for long. While none
// ends, messages come more and more rarely, and each once in some minute.
func (h *hall) again(r *room, now time.Duration, a Ask) time.Duration {
	every, rarely := h.every(r, now), min((now-r.ended)/4, time.Minute)
	return r.places.again(now, a, now+rarely, max(every*3/4, min(every, near)), len(r.places.at) < mostPlaces)
}

// sweep forgets keys that are idle, now and then.
func (h *hall) sweep(now time.Duration) {
	full := len(h.rooms) >= mostKeys
	if now-h.swept < time.Second || !full && now-h.swept < sweepEvery {
		return
	}
	h.swept = now
	for key, r := range h.rooms {
		if r.running == 0 && (r.places.forget(now, near) || full) { // places are no more than a hint
			delete(h.rooms, key)
		}
	}
}
