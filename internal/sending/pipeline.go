package sending

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/backoff"
	"github.com/bunnicula-go/bunnicula/internal/transport"
	"github.com/bunnicula-go/bunnicula/internal/wire"
)

// Pipeline sends Envelopes exactly as they are: it applies no codec and no defaults, and keeps all
// headers. A publisher.Client is built on one; a consumer has one of its own for its copies. It is safe
// for use by many goroutines at once.
//
// One goroutine writes and one collects the confirms. The messages between begin and
// their end hold a place in the window each; whoever finds none free waits.
type Pipeline struct {
	conn   transport.Connection
	link   transport.Link // its publishing one
	log    *slog.Logger
	window int

	room  chan struct{} // one token for each message in the pipeline
	queue chan *Message // as large as room, so that it never blocks; made for the first message
	again []*Message    // what goes first on the next channel; only run touches it

	ctx    context.Context // ends the pipeline
	cancel context.CancelCauseFunc
	start  sync.Once
	done   chan struct{} // closed when run has ended

	mu       sync.Mutex
	stopping bool
	async    map[*Message]struct{} // on their way, with nobody who waits in wait

	end   sync.Mutex // one Stop at a time: two that collect the room would wait for each other
	taken int        // room that they have collected
}

// DefaultWindow is that of a publisher.
const DefaultWindow = 1024

// New makes a Pipeline with room for window messages in flight. It connects at the first message. A nil
// logger means slog.Default().
func New(conn transport.Connection, window int, log *slog.Logger) (*Pipeline, error) {
	if window < 1 || window > 1<<16 {
		return nil, fmt.Errorf("publisher: Window is %d, want 1 to %d", window, 1<<16)
	}
	if log == nil {
		log = slog.Default()
	}
	s := &Pipeline{
		conn: conn, link: conn.Publishing(), log: log.With("connection", conn.Name()), window: window,
		room: make(chan struct{}, window), done: make(chan struct{}), async: map[*Message]struct{}{},
	}
	s.ctx, s.cancel = context.WithCancelCause(context.Background())
	return s, nil
}

// Send is publisher.Publish for an Envelope.
func (s *Pipeline) Send(ctx context.Context, env Envelope) error {
	if err := check(&env); err != nil {
		return env.Failed(err)
	}
	return s.SendBuilt(ctx, env)
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
func (s *Pipeline) SendBatch(ctx context.Context, envs []Envelope) []error {
	return s.sendBatch(ctx, envs, check)
}

// SendBatchBuilt is SendBatch for Envelopes of Build. Its errors are by index too; there are none for
// what was confirmed.
func (s *Pipeline) SendBatchBuilt(ctx context.Context, envs []Envelope) map[int]error {
	var failed map[int]error
	for i, err := range s.sendBatch(ctx, envs, func(*Envelope) error { return nil }) {
		if err != nil {
			if failed == nil {
				failed = map[int]error{}
			}
			failed[i] = err
		}
	}
	return failed
}

func (s *Pipeline) sendBatch(ctx context.Context, envs []Envelope, check func(*Envelope) error) []error {
	errs := make([]error, len(envs))
	sent := make([]*Message, len(envs))
	for i, env := range envs {
		err := check(&env)
		if err == nil {
			sent[i], err = s.Begin(ctx, env, false)
		}
		if err != nil {
			errs[i] = env.Failed(err)
		}
	}
	for i, m := range sent {
		if m != nil {
			errs[i] = m.Wait(ctx)
		}
	}
	return errs
}

// SendBuilt is Send for an Envelope of Build, which is known to be good.
func (s *Pipeline) SendBuilt(ctx context.Context, env Envelope) error {
	m, err := s.Begin(ctx, env, false)
	if err != nil {
		return env.Failed(err)
	}
	return m.Wait(ctx)
}

// begin waits for room and puts a good message into the pipeline. An async message is abandoned
// when ctx or the pipeline ends; of others the caller does that, in wait.
func (s *Pipeline) Begin(ctx context.Context, env Envelope, async bool) (*Message, error) {
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
	m := &Message{env: env, pipeline: s, async: async, done: make(chan struct{})}
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
		s.queue = make(chan *Message, s.window)
		go s.run()
	})
	s.queue <- m
	return m, nil
}

// because is why ctx has ended, and what the message waited for if that is known.
func (s *Pipeline) because(ctx context.Context) error {
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
func (s *Pipeline) Stop(ctx context.Context) error {
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
func (s *Pipeline) flush(ctx context.Context) error {
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
func (s *Pipeline) leave(m *Message, err error) {
	m.end(err)
	if m.async {
		s.mu.Lock()
		delete(s.async, m)
		s.mu.Unlock()
	}
	<-s.room
}

// giveUp is leave for a message that cannot be sent, or not again: it says which.
func (s *Pipeline) giveUp(m *Message, cause error) {
	m.abandon(cause)
	s.leave(m, cause)
}

// run owns the channels, one after the other, until Stop.
func (s *Pipeline) run() {
	defer close(s.done)
	defer s.giveUpAll(ErrClosed)
	pause := backoff.Backoff{Min: 50 * time.Millisecond, Max: 2 * time.Second}
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
			pause.Reset()
		}
		select {
		case <-session.Done(): // the connection has a backoff of its own
			pause.Reset()
		case <-time.After(pause.Next()):
		case <-s.ctx.Done():
			return
		}
	}
}

// giveUpAll ends everything that waits.
func (s *Pipeline) giveUpAll(cause error) {
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

// InFlight is how many messages have a place in the window.
func (s *Pipeline) InFlight() int { return len(s.room) }
