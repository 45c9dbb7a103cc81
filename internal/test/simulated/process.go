package simulated

import (
	"context"
	"errors"
	"time"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/internal/transport"
)

// Process is a client: a [transport.Connection] whose links dial again when they are lost. It can be killed.
type Process struct {
	broker     *Broker
	name       string
	publishing *link
	consuming  *link
	links      []*link
	dead       chan struct{}
}

var _ transport.Connection = (*Process)(nil)

// Process makes a client of the broker. It dials when it is used.
func (b *Broker) Process(name string) *Process {
	p := &Process{broker: b, name: name, dead: make(chan struct{})}
	p.publishing, p.consuming = p.link("publish"), p.link("consume")
	return p
}

// Name is the one that it was made with.
func (p *Process) Name() string { return p.name }

// Version is no program's.
func (p *Process) Version() string { return "" }

// Publishing is the link that messages are sent on.
func (p *Process) Publishing() transport.Link { return p.publishing }

// Consuming is the link that messages are received and acked on.
func (p *Process) Consuming() transport.Link { return p.consuming }

// Apart makes one more link.
func (p *Process) Apart(purpose string) transport.Link {
	p.broker.mu.Lock()
	defer p.broker.mu.Unlock()
	return p.link(purpose)
}

func (p *Process) link(purpose string) *link {
	l := &link{process: p, purpose: purpose, change: make(chan struct{}), done: make(chan struct{}), since: time.Now()}
	l.ctx, l.stop = context.WithCancel(context.Background())
	p.links = append(p.links, l)
	return l
}

// Stop closes all links, politely as far as ctx allows.
func (p *Process) Stop(ctx context.Context) {
	p.broker.mu.Lock()
	links := append([]*link(nil), p.links...)
	p.broker.mu.Unlock()
	for _, l := range links {
		l.Close(ctx)
	}
}

// Kill is kill -9: all sessions end at once, and whatever is done with them from now on comes to nothing. What had been
// sent may still arrive, until the broker notices after a while. It may be called twice.
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

// link is a TCP connection, over all its sessions.
type link struct {
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

// Session waits for a session that lives.
func (l *link) Session(ctx context.Context) (transport.Session, error) {
	b := l.process.broker
	for {
		b.mu.Lock()
		if !l.started && !l.closed {
			l.started = true
			go l.supervise()
		}
		session, change, closed := l.session, l.change, l.closed
		b.mu.Unlock()
		switch {
		case closed:
			return nil, connection.ErrClosed
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
func (l *link) supervise() {
	b := l.process.broker
	defer close(l.done)
	backoff := connection.Backoff{Min: 50 * time.Millisecond, Max: time.Second}
	for l.ctx.Err() == nil {
		session, err := l.dial()
		if err != nil {
			b.mu.Lock()
			l.err = err
			b.mu.Unlock()
			connection.Wait(l.ctx, backoff.Next())
			continue
		}
		up := time.Now()
		<-session.done
		b.mu.Lock()
		l.session, l.err, l.since = nil, session.err, time.Now()
		l.lost++
		l.changed()
		b.mu.Unlock()
		if time.Since(up) > 5*time.Second {
			backoff.Reset()
		}
		connection.Wait(l.ctx, backoff.Next())
	}
}

var errRefused = errors.New("dial: connection refused")

// dial asks for a session and makes it known.
func (l *link) dial() (*session, error) {
	b := l.process.broker
	connection.Wait(l.ctx, 2*b.Latency)
	b.mu.Lock()
	fault := b.ask(Step{Kind: "dial", Process: l.process.name, Purpose: l.purpose})
	b.mu.Unlock()
	connection.Wait(l.ctx, fault.Delay)
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
		return nil, connection.ErrClosed
	}
	l.session, l.err, l.since = newSession(l), nil, time.Now()
	l.changed()
	return l.session, nil
}

// Close says goodbye.
func (l *link) Close(ctx context.Context) {
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
func (l *link) shut() {
	l.closed = true
	l.stop()
	l.changed()
}

func (l *link) changed() {
	close(l.change)
	l.change = make(chan struct{})
}

// Health is the state at this moment.
func (l *link) Health() connection.LinkHealth {
	b := l.process.broker
	b.mu.Lock()
	defer b.mu.Unlock()
	h := connection.LinkHealth{Used: l.started, Since: l.since, Lost: l.lost, Err: l.err}
	if l.session != nil {
		h.Connected, h.Addr = true, "simulated:5672"
		if l.session.blocked {
			h.Blocked = alarm
		}
	}
	return h
}

const alarm = "low on memory"
