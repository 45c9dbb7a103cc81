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
	config  resolved
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
	since   time.Time
	lost    int
	done    chan struct{} // closed when the supervisor has ended
}

func newLink(purpose string, r resolved, log *slog.Logger, notice func(Event)) *Link {
	l := &Link{
		purpose: purpose, config: r, change: make(chan struct{}), done: make(chan struct{}), since: time.Now(),
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
		refused := !l.ever && Permanent(err)
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
	backoff := Backoff{Min: l.config.MinBackoff, Max: l.config.MaxBackoff}
	for i := 0; ; i++ {
		t := l.config.targets[i%len(l.config.targets)]
		session, err := l.open(t)
		if err == nil {
			up := time.Now()
			<-session.Done()
			if time.Since(up) > steady {
				backoff.Reset()
			}
			l.set(func() { l.session, l.lastErr, l.since = nil, session.Err(), time.Now() })
			if l.ctx.Err() != nil {
				return
			}
			l.log.Warn("connection lost", "addr", t.addr, "after", time.Since(up).Round(time.Millisecond), "err", session.Err())
			l.set(func() { l.lost++ })
			l.notice(Event{Kind: Lost, Err: session.Err()})
			i = -1 // the first URL again
		}
		if l.ctx.Err() != nil {
			return
		}
		if err != nil {
			l.set(func() { l.lastErr = err })
			l.log.Warn("connect", "addr", t.addr, "err", err)
			if (i+1)%len(l.config.targets) != 0 && !Permanent(err) {
				continue // the next URL, at once
			}
		}
		pause := backoff.Next()
		switch {
		case Permanent(err):
			pause = l.config.MaxBackoff
		case err == nil: // The broker is there; we only must not come and go too fast.
			pause = min(pause, time.Second)
		}
		if !Wait(l.ctx, pause) {
			return
		}
	}
}

// steady is how long a session lasts that was not a mere flicker.
const steady = 5 * time.Second

// open dials and makes the session known.
func (l *Link) open(t target) (*Session, error) {
	conn, sock, err := dial(l.ctx, l.config, t, l.purpose)
	if err != nil {
		return nil, err
	}
	session := newSession(conn, sock, l.config.ReplyTimeout, t)
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

// close ends the session, with a goodbye if there is time, and the supervisor.
func (l *Link) close(ctx context.Context) {
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

// goodbye is how long a polite close may take: 5 s, and half of what is left.
func goodbye(ctx context.Context) time.Duration {
	deadline, ok := ctx.Deadline()
	if !ok {
		return 5 * time.Second
	}
	return max(0, min(5*time.Second, time.Until(deadline)/2))
}

func (l *Link) health() LinkHealth {
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
