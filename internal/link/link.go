package link

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/transport"
)

// use is what a link is for.
type use int

const (
	toPublish use = iota // and for anything else
	toRead               // nothing is published on it
	toConsume            // nothing is published on it, and nobody reads how a message was dead-lettered
)

// isReading says whether nothing is published on the link.
func (u use) isReading() bool { return u != toPublish }

// link is one TCP connection, over all its sessions.
type link struct {
	purpose   string           // immutable
	dedicated bool             // immutable: one user only
	use       use              // immutable
	settings  func() *Settings // a function: fmt would print the password behind a pointer
	log       *slog.Logger
	notice    func(transport.Event)
	allowance allowance      // has a lock of its own
	farewells sync.WaitGroup // goroutines that close retired sessions; the supervisor waits for them

	ctx  context.Context // ends with Close or abort
	stop context.CancelFunc
	done chan struct{} // closed when the supervisor has ended

	mu     sync.Mutex    // guards what is below
	change chan struct{} // closed and replaced at each change of state
	state  state
}

// state is what is known of a link. The supervisor writes it, with three exceptions: the first
// Session or Begin sets started, Close and abort set closed, and a renewal sets renewal.
type state struct {
	started bool
	closed  bool
	session *session // nil while there is none
	ever    bool     // there has been a session
	err     error    // why there is no session
	refused bool     // every target refused the connection in the last round
	since   time.Time
	lost    int
	renewal error // why the session's secret is not renewed; its renewal writes it
}

func newLink(purpose string, s *Settings, log *slog.Logger, notice func(transport.Event)) *link {
	l := &link{
		purpose: purpose, settings: func() *Settings { return s }, change: make(chan struct{}), done: make(chan struct{}),
		state: state{since: time.Now()},
		log:   log.With("connection", s.Name, "purpose", purpose),
		notice: func(e transport.Event) {
			e.Purpose = purpose
			notice(e)
		},
	}
	l.ctx, l.stop = context.WithCancel(context.Background())
	return l
}

// Begin starts the supervisor, unless it was started.
func (l *link) Begin() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.begin()
}

// begin is Begin for who holds the lock.
func (l *link) begin() {
	if !l.state.started && !l.state.closed {
		l.state.started = true
		go l.supervise()
	}
}

// Session waits for a live session and returns it. The first call starts the supervisor.
func (l *link) Session(ctx context.Context) (transport.Session, error) {
	for {
		l.mu.Lock()
		l.begin()
		now, change := l.state, l.change
		l.mu.Unlock()

		switch {
		case now.closed:
			return nil, transport.ErrClosed
		case now.session != nil && now.session.Err() == nil:
			return now.session, nil
		case !now.ever && now.refused && !l.settings().Lazy:
			return nil, now.err
		}
		select {
		case <-change:
		case <-ctx.Done():
			if now.err != nil {
				return nil, fmt.Errorf("not connected (%w): %w", now.err, context.Cause(ctx))
			}
			return nil, fmt.Errorf("not connected: %w", context.Cause(ctx))
		}
	}
}

// set changes the state, and wakes every goroutine that waits for a change.
func (l *link) set(f func(*state)) (after state) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f(&l.state)
	close(l.change)
	l.change = make(chan struct{})
	return l.state
}

// Close ends the session and lets no other begin. It says goodbye to the broker if ctx leaves time
// for that.
func (l *link) Close(ctx context.Context) {
	now := l.set(func(s *state) { s.closed = true })
	l.stop()
	if !now.started {
		return
	}
	if now.session != nil {
		now.session.close(goodbye(ctx), nil)
	}
	<-l.done
}

// abort is Close without a goodbye.
func (l *link) abort() {
	now := l.set(func(s *state) { s.closed = true })
	l.stop()
	if now.session != nil {
		now.session.Abort(transport.ErrClosed)
	}
}

// goodbye is how long a goodbye may take: half of the time that ctx leaves, and at most 5 s.
func goodbye(ctx context.Context) time.Duration {
	deadline, ok := ctx.Deadline()
	if !ok {
		return 5 * time.Second
	}
	return max(0, min(5*time.Second, time.Until(deadline)/2))
}

// Health tells the state of this TCP connection.
func (l *link) Health() transport.LinkHealth {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.state
	h := transport.LinkHealth{Used: s.started, Since: s.since, Lost: s.lost, Err: s.err, Renewal: s.renewal}
	if s.session != nil {
		h.Connected = true
		h.Addr = s.session.target.Addr
		h.Blocked, _, _ = s.session.Blocked()
	}
	return h
}
