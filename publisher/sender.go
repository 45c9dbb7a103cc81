package publisher

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/internal/transport"
	"github.com/bunnicula-go/bunnicula/internal/wire"
)

// Sender sends Envelopes exactly as they are, which [Client] is built on: no codec,
// no defaults, and headers that Client would leave out are kept. Consumers use one
// of their own for the copies that they retry and park. It is safe for use by many
// goroutines at once.
//
// One goroutine writes and one collects the confirms. The messages between begin and
// their end hold a place in the window each; whoever finds none free waits.
type Sender struct {
	conn   transport.Connection
	link   transport.Link // its publishing one
	log    *slog.Logger
	window int

	room  chan struct{} // one token for each message in the pipeline
	queue chan *sending // as large as room, so that it never blocks; made for the first message
	again []*sending    // what goes first on the next channel; only run touches it

	ctx    context.Context // ends the pipeline
	cancel context.CancelCauseFunc
	start  sync.Once
	done   chan struct{} // closed when run has ended

	mu       sync.Mutex
	stopping bool
	async    map[*sending]struct{} // on their way, with nobody who waits in wait

	end   sync.Mutex // one Stop at a time: two that collect the room would wait for each other
	taken int        // room that they have collected
}

// NewSender makes a Sender with room for window messages in flight. It connects at the
// first message.
func NewSender(conn *connection.Connection, window int, log *slog.Logger) (*Sender, error) {
	if conn == nil {
		return nil, errors.New("publisher: the connection is nil")
	}
	return NewSenderOver(transport.Over(conn), window, log)
}

// NewSenderOver is NewSender for a broker that only this module's tests can make.
func NewSenderOver(conn transport.Connection, window int, log *slog.Logger) (*Sender, error) {
	if window < 1 || window > 1<<16 {
		return nil, fmt.Errorf("publisher: Window is %d, want 1 to %d", window, 1<<16)
	}
	if log == nil {
		log = slog.Default()
	}
	s := &Sender{
		conn: conn, link: conn.Publishing(), log: log.With("connection", conn.Name()), window: window,
		room: make(chan struct{}, window), done: make(chan struct{}), async: map[*sending]struct{}{},
	}
	s.ctx, s.cancel = context.WithCancelCause(context.Background())
	return s, nil
}

// Send is [Publisher.Publish] for an Envelope.
func (s *Sender) Send(ctx context.Context, env Envelope) error {
	if err := check(&env); err != nil {
		return failed(&env, err)
	}
	return s.send(ctx, env)
}

// check refuses what would harm others on the same channel.
func check(env *Envelope) error {
	if err := env.Check(); err != nil {
		return err
	}
	if err := wire.Check(env.Headers); err != nil {
		return fmt.Errorf("headers: %w", err)
	}
	return nil
}

// SendBatch sends many in their order and waits for all of them, as Send does for one. The errors are
// theirs, by index; all nil means that every message is confirmed and in a queue.
func (s *Sender) SendBatch(ctx context.Context, envs []Envelope) []error {
	errs := make([]error, len(envs))
	sent := make([]*sending, len(envs))
	for i, env := range envs {
		err := check(&env)
		if err == nil {
			sent[i], err = s.begin(ctx, env, false)
		}
		if err != nil {
			errs[i] = failed(&env, err)
		}
	}
	for i, m := range sent {
		if m != nil {
			errs[i] = m.wait(ctx, s)
		}
	}
	return errs
}

// send is Send for an Envelope that is known to be good, such as one that was built here.
func (s *Sender) send(ctx context.Context, env Envelope) error {
	m, err := s.begin(ctx, env, false)
	if err != nil {
		return failed(&env, err)
	}
	return m.wait(ctx, s)
}

// begin waits for room and puts a good message into the pipeline. An async message is abandoned
// when ctx or the pipeline ends; of others the caller does that, in wait.
func (s *Sender) begin(ctx context.Context, env Envelope, async bool) (*sending, error) {
	if ctx.Err() != nil {
		return nil, fmt.Errorf("not sent: %w", context.Cause(ctx))
	}
	select {
	case s.room <- struct{}{}:
	case <-ctx.Done():
		return nil, fmt.Errorf("not sent, %d messages before it are not confirmed yet: %w", s.window, s.because(ctx))
	case <-s.ctx.Done():
		return nil, ErrClosed
	}
	m := &sending{env: env, async: async, done: make(chan struct{})}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping {
		<-s.room
		return nil, ErrClosed
	}
	if async {
		s.async[m] = struct{}{}
		if ctx.Done() != nil {
			m.unhook = context.AfterFunc(ctx, func() { m.abandon(s.because(ctx)) })
		}
	}
	s.start.Do(func() {
		s.queue = make(chan *sending, s.window)
		go s.run()
	})
	s.queue <- m
	return m, nil
}

// because is why ctx has ended, and what the message waited for if that is known.
func (s *Sender) because(ctx context.Context) error {
	cause := context.Cause(ctx)
	switch h := s.link.Health(); {
	case h.Blocked != "":
		return fmt.Errorf("the broker takes no messages (%s): %w", h.Blocked, cause)
	case h.Err != nil:
		return fmt.Errorf("not connected (%w): %w", h.Err, cause)
	}
	return cause
}

// Stop takes no more messages, waits for those in flight until ctx ends, and ends the
// pipeline: who still waits is told at once. It may be called twice, and before the first message.
func (s *Sender) Stop(ctx context.Context) error {
	s.mu.Lock()
	s.stopping = true
	s.mu.Unlock()
	s.start.Do(func() { close(s.done) }) // it never ran
	s.end.Lock()
	defer s.end.Unlock()
	err := s.flush(ctx)
	s.cancel(ErrClosed)
	s.mu.Lock()
	for m := range s.async {
		m.abandon(ErrClosed)
	}
	s.mu.Unlock()
	select {
	case <-s.done:
	case <-time.After(goodbye): // stuck in a socket that the connection's Stop will close
	}
	return err
}

// flush waits until nothing is in flight. Whoever has all the room knows that nobody else
// is in it.
func (s *Sender) flush(ctx context.Context) error {
	for s.taken < s.window {
		select {
		case s.room <- struct{}{}:
			s.taken++
		case <-s.done:
			return nil
		case <-ctx.Done():
			return fmt.Errorf("publisher: stop: %d messages are not confirmed: %w", len(s.room)-s.taken, context.Cause(ctx))
		}
	}
	return nil
}

// goodbye is how long Stop waits for the pipeline to close its channel.
const goodbye = time.Second

// leave ends a message and gives its place in the window back. Everything that
// enters the pipeline leaves it here, once.
func (s *Sender) leave(m *sending, err error) {
	m.end(err)
	if m.async {
		s.mu.Lock()
		delete(s.async, m)
		s.mu.Unlock()
	}
	<-s.room
}

// giveUp is leave for a message that cannot be sent, or not again: it says which.
func (s *Sender) giveUp(m *sending, cause error) {
	m.abandon(cause)
	s.leave(m, cause)
}

// run owns the channels, one after the other, until Stop.
func (s *Sender) run() {
	defer close(s.done)
	defer s.giveUpAll(ErrClosed)
	backoff := connection.Backoff{Min: 50 * time.Millisecond, Max: 2 * time.Second}
	for {
		if len(s.again) == 0 {
			select {
			case m := <-s.queue:
				s.again = append(s.again, m)
			case <-s.ctx.Done():
				return
			}
		}
		session, err := s.link.Session(s.ctx)
		if err != nil {
			if s.ctx.Err() != nil {
				return
			}
			s.giveUpAll(err) // it is stopped, or the broker does not let us in
			continue
		}
		began := time.Now()
		unknown, cause, err := s.channel(session, nil)
		if s.ctx.Err() != nil {
			s.again = append(unknown, s.again...)
			return
		}
		if err != nil || cause != nil || len(unknown) > 1 { // else it was worn out
			s.log.Warn("publishing channel ended", "unknown", len(unknown), "err", errors.Join(err, asError(cause)))
		}
		s.sort(unknown, cause)
		if blamed(cause) {
			continue // who was to blame is gone, and the others need not wait
		}
		if time.Since(began) > time.Second {
			backoff.Reset()
		}
		select {
		case <-session.Done(): // the connection has a backoff of its own
			backoff.Reset()
		case <-time.After(backoff.Next()):
		case <-s.ctx.Done():
			return
		}
	}
}

// giveUpAll ends everything that waits.
func (s *Sender) giveUpAll(cause error) {
	for _, m := range s.again {
		s.giveUp(m, cause)
	}
	s.again = nil
	for {
		select {
		case m := <-s.queue:
			s.giveUp(m, cause)
		default:
			return
		}
	}
}
