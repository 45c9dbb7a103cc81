package simulated

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/transport"
)

// session is one TCP connection's life, seen from both ends. They can end at different times.
type session struct {
	broker *Broker
	link   *tcp

	up   chan frame    // to the broker; who writes more than a socket holds, waits
	down []frame       // to the client, who reads all at once
	more chan struct{} // down has one more

	frozen chan struct{} // closed by a cut: nothing passes any more
	done   chan struct{} // closed at the client's end
	gone   chan struct{} // closed at the broker's end
	err    error         // of the client; read it after done

	channels  []*channel    // the client's that are open
	served    []*served     // the broker's that are open
	throttled chan struct{} // the broker reads nothing until it is closed
	blocked   bool          // the client knows
	change    chan struct{} // closed when blocked changes

	asker transport.Asker
}

// frame is on its way.
type frame struct {
	kind, queue, message string

	on      *served // the broker's channel that it is for; nil if it is for the client, or the whole connection
	act     func(Fault)
	arrives time.Time
}

const (
	socketRoom   = 16 // frames
	replyTimeout = 30 * time.Second
)

// newSession is called with the lock held.
func newSession(l *tcp) *session {
	s := &session{
		broker: l.process.broker, link: l, up: make(chan frame, socketRoom), more: make(chan struct{}, 1),
		frozen: make(chan struct{}), done: make(chan struct{}), gone: make(chan struct{}), change: make(chan struct{}),
	}
	s.broker.sessions = append(s.broker.sessions, s)
	go s.readAtBroker()
	go s.readAtClient()
	return s
}

// Done is closed when the client knows that it is over.
func (s *session) Done() <-chan struct{} { return s.done }

// Retired never ends: the user of a process does not change.
func (s *session) Retired() context.Context { return context.Background() }

// Err is why, nil while it lives.
func (s *session) Err() error {
	select {
	case <-s.done:
		return s.err
	default:
		return nil
	}
}

// Pulse asks on a channel of its own.
func (s *session) Pulse() (answers uint64) {
	return s.asker.Pulse(func() (transport.Channel, error) { return s.open() })
}

// User is the same for everybody.
func (s *session) User() string { return user }

const user = "guest"

// Blocked says whether the broker has told of an alarm.
func (s *session) Blocked() (string, bool, <-chan struct{}) {
	s.broker.mu.Lock()
	defer s.broker.mu.Unlock()
	if s.blocked {
		return alarm, true, s.change
	}
	return "", false, s.change
}

// Peer is a broker of the simulated version.
func (s *session) Peer() transport.Peer {
	return transport.Peer{Product: "simulated", Version: s.broker.Version.String(), Addr: "simulated:5672", User: user, VHost: "/"}
}

// Abort closes the socket.
func (s *session) Abort(why error) { s.lockedAbort(why) }

func (s *session) setBlocked(blocked bool) {
	if blocked {
		s.link.tell(transport.Event{Kind: transport.Blocked, Reason: alarm})
	} else {
		s.link.tell(transport.Event{Kind: transport.Unblocked})
	}
	s.blocked = blocked
	close(s.change)
	s.change = make(chan struct{})
}

// Do is as a real session's: f has until replyTimeout, or the session is over.
func (s *session) Do(ctx context.Context, what string, f func() error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("%s: %w", what, context.Cause(ctx))
	}
	ended := make(chan error, 1)
	go func() {
		timer := time.AfterFunc(replyTimeout, func() { s.lockedAbort(fmt.Errorf("%w: %s for %s", transport.ErrNoReply, what, replyTimeout)) })
		defer timer.Stop()
		ended <- f()
	}()
	select {
	case err := <-ended:
		if err != nil && errors.Is(s.Err(), transport.ErrNoReply) {
			err = s.Err()
		}
		return err
	case <-ctx.Done():
		return fmt.Errorf("%s: %w", what, context.Cause(ctx))
	}
}

// Channel opens a channel.
func (s *session) Channel(ctx context.Context) (transport.Channel, error) {
	opened := make(chan *channel, 1)
	err := s.Do(ctx, "open a channel", func() error {
		ch, err := s.open()
		if err == nil {
			opened <- ch
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return <-opened, nil
}

func (s *session) open() (*channel, error) {
	b := s.broker
	b.mu.Lock()
	if s.err != nil {
		b.mu.Unlock()
		return nil, amqp.ErrClosed
	}
	b.channels++
	ch := newChannel(s, b.channels)
	s.channels = append(s.channels, ch)
	b.mu.Unlock()
	return ch, ch.call("open", "", func() *amqp.Error {
		ch.served.opened = true
		s.served = append(s.served, ch.served)
		return nil
	}, nil)
}

// goodbye closes it from the client's side, within 5 s and half of what ctx leaves.
func (s *session) goodbye(ctx context.Context) {
	wait := 5 * time.Second
	if deadline, ok := ctx.Deadline(); ok {
		wait = max(0, min(wait, time.Until(deadline)/2))
	}
	timer := time.AfterFunc(wait, func() { s.lockedAbort(errors.New("no goodbye in time")) })
	defer timer.Stop()
	_ = s.write(frame{kind: "goodbye", act: func(Fault) {
		s.endAtBroker()
		s.endAtClient(transport.ErrClosed, nil)
	}})
	<-s.done
}

// write sends a frame to the broker, and waits while the socket is full.
func (s *session) write(f frame) error {
	f.arrives = time.Now().Add(s.broker.Latency)
	select {
	case <-s.done:
		return amqp.ErrClosed
	default:
	}
	select {
	case s.up <- f:
		return nil
	case <-s.done:
		return amqp.ErrClosed
	}
}

// send sends a frame to the client.
func (s *session) send(f frame) {
	f.arrives = time.Now().Add(s.broker.Latency)
	s.down = append(s.down, f)
	select {
	case s.more <- struct{}{}:
	default:
	}
}

// readAtBroker lets frames take effect at the broker, one by one.
func (s *session) readAtBroker() {
	for {
		select {
		case f := <-s.up:
			s.broker.mu.Lock()
			throttled := s.throttled
			s.broker.mu.Unlock()
			if throttled != nil {
				select {
				case <-throttled:
				case <-s.gone:
				case <-s.frozen:
				}
			}
			if !s.arrive(f, s.gone) {
				return
			}
		case <-s.gone:
			return
		case <-s.frozen:
			return
		}
	}
}

// readAtClient does the same at the client.
func (s *session) readAtClient() {
	for {
		s.broker.mu.Lock()
		all := s.down
		s.down = nil
		s.broker.mu.Unlock()
		for _, f := range all {
			if !s.arrive(f, s.done) {
				return
			}
		}
		select {
		case <-s.more:
		case <-s.done:
			return
		case <-s.frozen:
			return
		}
	}
}

// arrive waits for a frame to come, asks what goes wrong, and lets it take effect. It is false when
// this end is over.
func (s *session) arrive(f frame, over chan struct{}) bool {
	b := s.broker
	if !s.pause(time.Until(f.arrives), over) {
		return false
	}
	b.mu.Lock()
	fault := b.ask(Step{Kind: f.kind, Process: s.link.process.name, Purpose: s.link.purpose, Queue: f.queue, Message: f.message})
	rest := b.strain.frame(b.Busy)
	b.mu.Unlock()
	if !s.pause(fault.Delay+rest, over) {
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	s.take(f, fault)
	return true
}

// take lets a frame take effect, with what goes wrong beside it.
func (s *session) take(f frame, fault Fault) {
	atBroker := f.on != nil
	if atBroker && f.on.held != nil {
		f.on.held = append(f.on.held, f)
		return
	}
	instead := !fault.After
	switch fault.Kind {
	case Cut:
		if !instead {
			f.act(Fault{})
		}
		s.cut(fault.Client, fault.Broker)
		return
	case Unreadable:
		s.endAtClient(fmt.Errorf("%w: as planned", transport.ErrUnreadable), &amqp.Error{Code: amqp.FrameError, Reason: "unreadable"})
		s.endAtBroker()
		return
	case HoldChannel:
		if atBroker {
			f.on.hold(f, fault.For)
			return
		}
	case CloseChannel, CloseSession:
		if !atBroker || f.on.closed || !f.on.opened {
			break
		}
		if !instead {
			f.act(Fault{})
		}
		if fault.Kind == CloseSession {
			s.refuse(refusal(cmp.Or(fault.Code, 541), "INTERNAL_ERROR"))
		} else {
			f.on.fail(refusal(fault.Code, "closed by the fault plan"))
		}
		return
	}
	s.broker.happen(fault)
	f.act(fault)
}

// happen is what goes wrong with the whole broker.
func (b *Broker) happen(fault Fault) {
	switch fault.Kind {
	case DeleteQueue:
		b.delete(fault.Queue)
	case Alarm:
		b.raise(fault.For)
	case Refuse:
		b.refusing = time.Now().Add(fault.For)
	case Restart:
		b.restart(fault.For)
	}
}

// pause is false when this end is over, or nothing passes any more.
func (s *session) pause(d time.Duration, over chan struct{}) bool {
	if d > 0 {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-over:
		case <-s.frozen:
		}
	}
	select {
	case <-over:
		return false
	case <-s.frozen:
		return false
	default:
		return true
	}
}

// cut ends the connection in the middle: what is on its way is lost, and each side notices in its
// time.
func (s *session) cut(client, broker time.Duration) {
	select {
	case <-s.frozen:
		return
	default:
	}
	close(s.frozen)
	lost := &amqp.Error{Code: amqp.FrameError, Reason: "read: connection reset by peer"}
	s.broker.after(client, func() { s.endAtClient(errors.New(lost.Reason), lost) })
	s.broker.after(broker, s.endAtBroker)
}

// abort closes the socket: what was sent may arrive until the broker notices.
func (s *session) abort(why error, noticed time.Duration) {
	s.endAtClient(why, &amqp.Error{Code: amqp.FrameError, Reason: why.Error()})
	s.broker.after(noticed, s.endAtBroker)
}

func (s *session) lockedAbort(why error) {
	s.broker.mu.Lock()
	defer s.broker.mu.Unlock()
	s.abort(why, 0)
}

// refuse ends the connection from the broker's side.
func (s *session) refuse(why *amqp.Error) {
	s.endAtBroker()
	s.send(frame{kind: "closed", act: func(Fault) { s.endAtClient(why, why) }})
}

// after is time.AfterFunc with the lock held; at once if d is 0.
func (b *Broker) after(d time.Duration, f func()) {
	if d <= 0 {
		f()
		return
	}
	time.AfterFunc(d, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		f()
	})
}

// endAtClient tells all channels, and then whoever waits for the session.
func (s *session) endAtClient(err error, cause *amqp.Error) {
	if s.err != nil {
		return
	}
	s.err = err
	for _, ch := range slices.Clone(s.channels) {
		ch.end(cause)
	}
	close(s.done)
}

// endAtBroker gives back what is unacked.
func (s *session) endAtBroker() {
	select {
	case <-s.gone:
		return
	default:
	}
	close(s.gone)
	for _, ch := range slices.Clone(s.served) {
		ch.end("its connection ended")
	}
	for name, q := range s.broker.queues {
		if q.owner == s {
			s.broker.delete(name)
		}
	}
	s.broker.sessions = slices.DeleteFunc(s.broker.sessions, func(o *session) bool { return o == s })
}
