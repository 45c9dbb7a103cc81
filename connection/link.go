package connection

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// ErrClosed is returned after Stop.
var ErrClosed = errors.New("connection: stopped")

// Link is one of the two TCP connections of a Connection, over all its sessions.
type Link struct {
	purpose string
	alone   bool             // made by Apart: nothing else goes through it
	legible bool             // made by Legible
	config  func() *resolved // fmt prints what a pointer leads to when a verb does not fit it, and that has the password
	log     *slog.Logger
	notice  func(Event)

	stop context.CancelFunc // ends the supervisor
	ctx  context.Context

	mu      sync.Mutex
	change  chan struct{} // closed and replaced at each change of what is below
	started bool
	closed  bool
	session *Session // nil while there is none
	ever    bool     // there has been one
	lastErr error    // why there is none
	refused bool     // no URL lets us in
	since   time.Time
	lost    int
	done    chan struct{} // closed when the supervisor has ended
}

func newLink(purpose string, r *resolved, log *slog.Logger, notice func(Event)) *Link {
	l := &Link{
		purpose: purpose, config: func() *resolved { return r }, change: make(chan struct{}), done: make(chan struct{}), since: time.Now(),
		log: log.With("connection", r.Name, "purpose", purpose),
		notice: func(e Event) {
			e.Purpose = purpose
			notice(e)
		},
	}
	l.ctx, l.stop = context.WithCancel(context.Background())
	return l
}

// Session waits for a live session and returns it; the first call opens the
// connection. It returns ctx's error when that ends first, ErrClosed after
// Stop, and at once a *RefusedError if the broker has never let us in.
func (l *Link) Session(ctx context.Context) (*Session, error) {
	for {
		l.mu.Lock()
		if !l.started && !l.closed {
			l.started = true
			go l.supervise()
		}
		session, change, err := l.session, l.change, l.lastErr
		refused := !l.ever && l.refused
		closed := l.closed
		l.mu.Unlock()

		switch {
		case closed:
			return nil, ErrClosed
		case session != nil && session.Err() == nil:
			return session, nil
		case refused:
			return nil, err
		}
		select {
		case <-change:
		case <-ctx.Done():
			if err != nil {
				return nil, fmt.Errorf("not connected (%w): %w", err, context.Cause(ctx))
			}
			return nil, fmt.Errorf("not connected: %w", context.Cause(ctx))
		}
	}
}

// supervise owns the sessions, one after the other, until Stop.
func (l *Link) supervise() {
	defer close(l.done)
	targets := l.config().targets
	pace := newPacing(l.config().MinBackoff, l.config().MaxBackoff)
	var errs []error // since the last pause
	for i := 0; l.ctx.Err() == nil; i++ {
		t := targets[i%len(targets)]
		session, err := l.open(t)
		if err == nil {
			up := time.Now()
			<-session.Done()
			l.lose(session, t, up)
			if errs = nil; time.Since(up) > soon {
				i = -1 // the first URL again; one that drops us at once is not preferred
			}
			Wait(l.ctx, pace.afterLoss(time.Since(up), l.alone && errors.Is(session.Err(), ErrUnreadable)))
			continue
		}
		if l.ctx.Err() != nil {
			return
		}
		errs = append(errs, err)
		all := len(errs) >= len(targets) // else the next URL, at once
		l.set(func() { l.lastErr, l.refused = err, all && allPermanent(errs) })
		l.log.Warn("connect failed", "addr", t.addr, "err", err)
		if all {
			Wait(l.ctx, pace.after(errs...))
			errs = nil
		}
	}
}

// lose makes it known that there is no session, and tells of it unless Stop ended it.
func (l *Link) lose(session *Session, t target, up time.Time) {
	stopped := l.ctx.Err() != nil
	l.set(func() {
		l.session, l.lastErr, l.since = nil, session.Err(), time.Now()
		if !stopped {
			l.lost++
		}
	})
	if !stopped {
		l.log.Warn("connection lost", "addr", t.addr, "after", time.Since(up).Round(time.Millisecond), "err", session.Err())
		l.notice(Event{Kind: Lost, Err: session.Err()})
	}
}

// open dials and makes the session known.
func (l *Link) open(t target) (*Session, error) {
	conn, sock, err := dial(l.ctx, l.config(), t, l)
	if err != nil {
		return nil, err
	}
	session := newSession(conn, sock, l.config().ReplyTimeout, t)
	go session.watch(l.notice)
	var late bool // Stop came while we dialled, and does not know this session
	l.set(func() {
		l.session, l.ever, l.lastErr, l.since = session, true, nil, time.Now()
		late = l.closed
	})
	if late {
		session.Abort(ErrClosed)
		return session, nil
	}
	l.log.Info("connected", "addr", t.addr, "broker", fmt.Sprint(conn.Properties["product"], " ", conn.Properties["version"]))
	l.notice(Event{Kind: Connected})
	return session, nil
}

func (l *Link) set(f func()) {
	l.mu.Lock()
	f()
	close(l.change)
	l.change = make(chan struct{})
	l.mu.Unlock()
}

// Close ends the session, with a goodbye if there is time, and with it this TCP connection. Of a
// Connection's own two, its Stop does that.
func (l *Link) Close(ctx context.Context) {
	l.set(func() { l.closed = true })
	l.stop()
	l.mu.Lock()
	started, session := l.started, l.session
	l.mu.Unlock()
	if !started {
		return
	}
	if session != nil {
		session.close(goodbye(ctx))
	}
	<-l.done
}

// abort is Close without a word to the broker.
func (l *Link) abort() {
	l.set(func() { l.closed = true })
	l.stop()
	l.mu.Lock()
	session := l.session
	l.mu.Unlock()
	if session != nil {
		session.Abort(ErrClosed)
	}
}

// goodbye is how long a polite close may take: 5 s, and half of what is left.
func goodbye(ctx context.Context) time.Duration {
	deadline, ok := ctx.Deadline()
	if !ok {
		return 5 * time.Second
	}
	return max(0, min(5*time.Second, time.Until(deadline)/2))
}

// Health tells the state of this TCP connection.
func (l *Link) Health() LinkHealth {
	l.mu.Lock()
	defer l.mu.Unlock()
	h := LinkHealth{Used: l.started, Since: l.since, Lost: l.lost, Err: l.lastErr}
	if l.session != nil {
		h.Connected = true
		h.Addr = l.session.addr
		h.Blocked, _, _ = l.session.Blocked()
	}
	return h
}
