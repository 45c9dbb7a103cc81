package simulated

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/backoff"
	"github.com/bunnicula-go/bunnicula/internal/effective"
	"github.com/bunnicula-go/bunnicula/internal/link"
	"github.com/bunnicula-go/bunnicula/internal/transport"
)

// Process is a client: a [transport.Connection] whose links dial again when they are lost. It can
// be killed.
type Process struct {
	broker     *Broker
	name       string
	publishing *tcp
	consuming  *tcp
	links      []*tcp
	dead       chan struct{}
	notices    link.Notices
	shared     *transport.Shared
	lazy       bool
}

var _ transport.Connection = (*Process)(nil)

// Process makes a client of the broker. It dials when it is used.
func (b *Broker) Process(name string) *Process {
	p := &Process{broker: b, name: name, dead: make(chan struct{}), shared: transport.NewShared()}
	p.notices.Log = slog.New(slog.DiscardHandler)
	p.publishing, p.consuming = p.link("publish"), p.link("consume")
	return p
}

// Name is the one that it was made with.
func (p *Process) Name() string { return p.name }

// Version is no program's.
func (p *Process) Version() string { return "" }

// Lazy is false until SetLazy.
func (p *Process) Lazy() bool { return p.lazy }

// SetLazy lets whoever starts on the process not wait for the broker. It is called before that.
func (p *Process) SetLazy() { p.lazy = true }

// Shared is what all consumers of the process share.
func (p *Process) Shared() *transport.Shared { return p.shared }

// Effective is not simulated: there are no policies, and no management API.
func (p *Process) Effective(context.Context, string) (effective.Queue, error) {
	return effective.Queue{}, effective.ErrUnknown
}

// Publishing is the link that messages are sent on.
func (p *Process) Publishing() transport.Link { return p.publishing }

// Consuming is the link that messages are received and acked on.
func (p *Process) Consuming() transport.Link { return p.consuming }

// Reading is Dedicated: the simulation has no header that a client cannot read.
func (p *Process) Reading(purpose string) transport.Link { return p.Dedicated(purpose) }

// ConsumingAlone is Dedicated: deliveries have all their headers, as those of Consuming have.
func (p *Process) ConsumingAlone(purpose string) transport.Link { return p.Dedicated(purpose) }

// Dedicated makes one more link.
func (p *Process) Dedicated(purpose string) transport.Link {
	p.broker.mu.Lock()
	defer p.broker.mu.Unlock()
	return p.link(purpose)
}

func (p *Process) link(purpose string) *tcp {
	l := &tcp{process: p, purpose: purpose, change: make(chan struct{}), done: make(chan struct{}), since: time.Now()}
	l.ctx, l.stop = context.WithCancel(context.Background())
	p.links = append(p.links, l)
	return l
}

// Notify calls f when a link connects, is lost, is blocked, or is not blocked any more.
func (p *Process) Notify(f func(transport.Event)) (stop func()) { return p.notices.Add(f) }

// Stop closes all links, politely as far as ctx allows.
func (p *Process) Stop(ctx context.Context) error {
	p.broker.mu.Lock()
	links := append([]*tcp(nil), p.links...)
	p.broker.mu.Unlock()
	for _, l := range links {
		l.Close(ctx)
	}
	return nil
}

// Abort closes the sockets of all links.
func (p *Process) Abort() {
	p.broker.mu.Lock()
	defer p.broker.mu.Unlock()
	for _, l := range p.links {
		l.shut()
		if l.session != nil {
			l.session.abort(transport.ErrClosed, 0)
		}
	}
}

// Kill is kill -9: all sessions end at once, and whatever is done with them from now on comes to
// nothing. What had been sent may still arrive, until the broker notices after a while. It may be
// called twice.
func (p *Process) Kill(noticed time.Duration) {
	p.broker.mu.Lock()
	defer p.broker.mu.Unlock()
	select {
	case <-p.dead:
		return
	default:
	}
	p.broker.note(Event{Kind: Died, Process: p.name})
	close(p.dead)
	for _, l := range p.links {
		l.shut()
		if l.session != nil {
			l.session.abort(errKilled, noticed)
		}
	}
}

// Dead is closed when the process was killed.
func (p *Process) Dead() <-chan struct{} { return p.dead }

var errKilled = errors.New("the process was killed")

// tcp is a TCP connection, over all its sessions.
type tcp struct {
	process *Process
	purpose string
	ctx     context.Context // ends with Close
	stop    context.CancelFunc
	done    chan struct{} // closed when supervise has ended

	// Guarded by the broker's lock.
	change  chan struct{} // closed and replaced at each change
	started bool
	closed  bool
	session *session
	err     error
	since   time.Time
	lost    int
}

// Begin dials.
func (l *tcp) Begin() {
	l.process.broker.mu.Lock()
	defer l.process.broker.mu.Unlock()
	l.begin()
}

func (l *tcp) begin() {
	if !l.started && !l.closed {
		l.started = true
		go l.supervise()
	}
}

// Session waits for a session that lives.
func (l *tcp) Session(ctx context.Context) (transport.Session, error) {
	b := l.process.broker
	for {
		b.mu.Lock()
		l.begin()
		session, change, closed := l.session, l.change, l.closed
		b.mu.Unlock()
		switch {
		case closed:
			return nil, transport.ErrClosed
		case session != nil && session.Err() == nil:
			return session, nil
		}
		select {
		case <-change:
		case <-ctx.Done():
			return nil, errors.Join(errors.New("not connected"), context.Cause(ctx))
		}
	}
}

// supervise dials until Close.
func (l *tcp) supervise() {
	b := l.process.broker
	defer close(l.done)
	pause := backoff.Backoff{Min: 50 * time.Millisecond, Max: time.Second}
	for l.ctx.Err() == nil {
		session, err := l.dial()
		if err != nil {
			b.mu.Lock()
			l.err = err
			b.mu.Unlock()
			backoff.Wait(l.ctx, pause.Next())
			continue
		}
		up := time.Now()
		<-session.done
		b.mu.Lock()
		l.session, l.err, l.since = nil, session.err, time.Now()
		l.lost++
		l.changed()
		closed := l.closed
		b.mu.Unlock()
		if !closed {
			l.tell(transport.Event{Kind: transport.Lost, Err: session.err})
		}
		if time.Since(up) > 5*time.Second {
			pause.Reset()
		}
		backoff.Wait(l.ctx, pause.Next())
	}
}

var errRefused = errors.New("dial: connection refused")

// dial asks for a session and makes it known.
func (l *tcp) dial() (*session, error) {
	b := l.process.broker
	backoff.Wait(l.ctx, 2*b.Latency)
	b.mu.Lock()
	fault := b.ask(Step{Kind: "dial", Process: l.process.name, Purpose: l.purpose})
	b.mu.Unlock()
	backoff.Wait(l.ctx, fault.Delay)
	b.mu.Lock()
	defer b.mu.Unlock()
	switch fault.Kind {
	case None:
	case Refuse:
		b.refusing = time.Now().Add(fault.For)
	default:
		b.happen(fault)
		return nil, errRefused
	}
	if time.Now().Before(b.refusing) {
		return nil, errRefused
	}
	if l.closed {
		return nil, transport.ErrClosed
	}
	l.session, l.err, l.since = newSession(l), nil, time.Now()
	l.changed()
	l.tell(transport.Event{Kind: transport.Connected})
	return l.session, nil
}

func (l *tcp) tell(e transport.Event) {
	e.Purpose = l.purpose
	l.process.notices.Post(e)
}

// Close says goodbye.
func (l *tcp) Close(ctx context.Context) {
	b := l.process.broker
	b.mu.Lock()
	l.shut()
	started, session := l.started, l.session
	b.mu.Unlock()
	if !started {
		return
	}
	if session != nil {
		session.goodbye(ctx)
	}
	<-l.done
}

// shut lets no session begin any more.
func (l *tcp) shut() {
	l.closed = true
	l.stop()
	l.changed()
}

func (l *tcp) changed() {
	close(l.change)
	l.change = make(chan struct{})
}

// Health is the state at this moment.
func (l *tcp) Health() transport.LinkHealth {
	b := l.process.broker
	b.mu.Lock()
	defer b.mu.Unlock()
	h := transport.LinkHealth{Used: l.started, Since: l.since, Lost: l.lost, Err: l.err}
	if l.session != nil {
		h.Connected, h.Addr = true, "simulated:5672"
		if l.session.blocked {
			h.Blocked = alarm
		}
	}
	return h
}

const alarm = "low on memory"
