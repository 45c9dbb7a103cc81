package sending

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/applog"
	"github.com/bunnicula-go/bunnicula/internal/transport"
	"github.com/bunnicula-go/bunnicula/internal/wire"
)

// Pipeline sends Envelopes exactly as they are: it applies no codec and no defaults, and keeps all
// headers. A publisher.Client is built on one; a consumer has one of its own for its copies. It is
// safe for use by many goroutines at once.
type Pipeline struct {
	conn   transport.Connection // immutable
	link   transport.Link       // immutable: the publishing one
	log    *slog.Logger         // immutable
	window int                  // immutable
	limit  time.Duration        // immutable after Limit; 0 is none
	alarms sync.Pool            // timers of callers that wait

	room   account // the window's places
	roster roster  // what is in flight
	router router  // on which lane
	writes atomic.Int64
	// trouble is why a lane could not open its last channel; written by lanes.
	trouble atomic.Pointer[error]

	ctx      context.Context // ends the carriers
	cancel   context.CancelCauseFunc
	carriers crew          // lanes and inquiries; Stop waits for them
	inquiry  chan struct{} // one inquiry at a time holds it
}

// DefaultWindow is that of a publisher.
const DefaultWindow = 1024

// New makes a Pipeline with room for window messages in flight. It connects at the first message. A
// nil logger means slog.Default().
func New(conn transport.Connection, window int, log *slog.Logger) (*Pipeline, error) {
	if window < 1 || window > 1<<16 {
		return nil, fmt.Errorf("publisher: Window is %d, want 1 to %d", window, 1<<16)
	}
	log = applog.First(log)
	p := &Pipeline{
		conn: conn, link: conn.Publishing(), log: log.With("connection", conn.Name()), window: window,
		room: make(account, window), inquiry: make(chan struct{}, 1),
	}
	p.ctx, p.cancel = context.WithCancelCause(context.Background())
	return p, nil
}

// Send sends one message, and returns nil only when the broker has confirmed it and put it into a
// queue.
func (p *Pipeline) Send(ctx context.Context, env Envelope) error {
	if err := check(&env); err != nil {
		return env.Failed(err)
	}
	return p.SendBuilt(ctx, env)
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

// SendBuilt is Send for an Envelope of Build, which is known to be good.
func (p *Pipeline) SendBuilt(ctx context.Context, env Envelope) error {
	due, m := p.due(ctx), &Message{env: env, pipeline: p}
	if err := p.begin(ctx, m, due); err != nil {
		return env.Failed(err)
	}
	return m.wait(ctx, due)
}

// SendBatch sends many in their order and waits for all of them, as Send does for one. The errors
// are theirs, by index; all nil means that every message is confirmed and in a queue.
func (p *Pipeline) SendBatch(ctx context.Context, envs []Envelope) []error {
	return p.sendBatch(ctx, envs, check)
}

// SendBatchBuilt is SendBatch for Envelopes of Build. Its errors are by index too; there are none
// for what was confirmed.
func (p *Pipeline) SendBatchBuilt(ctx context.Context, envs []Envelope) map[int]error {
	var failed map[int]error
	for i, err := range p.sendBatch(ctx, envs, func(*Envelope) error { return nil }) {
		if err != nil {
			if failed == nil {
				failed = map[int]error{}
			}
			failed[i] = err
		}
	}
	return failed
}

func (p *Pipeline) sendBatch(ctx context.Context, envs []Envelope, check func(*Envelope) error) []error {
	errs := make([]error, len(envs))
	sent := make([]*Message, len(envs))
	ctx, progress, cancel := p.progressing(ctx)
	defer cancel()
	for i, env := range envs {
		err := check(&env)
		if err == nil {
			sent[i], err = p.Begin(ctx, env, false)
			progress()
		}
		if err != nil {
			errs[i] = env.Failed(err)
		}
	}
	for i, m := range sent {
		if m != nil {
			errs[i] = m.Wait(ctx)
			progress()
		}
	}
	return errs
}

// Begin waits for a place and gives a good message to a lane. An async message is abandoned when
// ctx or the pipeline ends; of others the caller does that, in Wait.
func (p *Pipeline) Begin(ctx context.Context, env Envelope, async bool) (*Message, error) {
	m := &Message{env: env, pipeline: p, async: async}
	var due time.Time
	if async { // of others the caller bounds Begin and Wait together
		due = p.due(ctx)
	}
	if err := p.begin(ctx, m, due); err != nil {
		return nil, err
	}
	return m, nil
}

// begin is Begin that ends at due, unless that is zero. An async message is abandoned then too.
func (p *Pipeline) begin(ctx context.Context, m *Message, due time.Time) error {
	if ctx.Err() != nil {
		return fmt.Errorf("not sent: %w", context.Cause(ctx))
	}
	if m.async {
		m.due = due
	}
	for {
		stuckOn, err := p.place(ctx, m, due)
		if err != nil {
			return err
		}
		if !p.roster.join(ctx, m) {
			m.account.give()
			return ErrClosed
		}
		if l := p.router.enter(m, stuckOn, p.openLane); l != nil {
			if !l.push(m) {
				p.putBack(m)
			}
			return nil
		}
		m.account.give() // it is of the wrong account by now
		p.roster.left(m)
	}
}

// place takes a place for the message, from the account that its key is due.
func (p *Pipeline) place(ctx context.Context, m *Message, due time.Time) (stuckOn *lane, err error) {
	m.account = p.room
	if stuckOn = p.router.stuckOn(m.key()); stuckOn != nil {
		m.account = stuckOn.room
	}
	if m.account.tryTake() {
		return stuckOn, nil
	}
	if m.sender != nil {
		return nil, ErrFull
	}
	ctx, cancel := p.until(ctx, due)
	defer cancel()
	select {
	case m.account <- struct{}{}:
		return stuckOn, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("not sent, %d messages before it are not confirmed yet: %w", cap(m.account), p.because(ctx))
	case <-p.ctx.Done():
		return nil, ErrClosed
	}
}

// because is why ctx has ended, and what the message waited for if that is known.
func (p *Pipeline) because(ctx context.Context) error { return p.why(context.Cause(ctx)) }

// why is the cause of the end of a call, with what the message waited for if that is known.
func (p *Pipeline) why(cause error) error {
	switch h := p.link.Health(); {
	case h.Blocked != "":
		return fmt.Errorf("the broker takes no messages (%s): %w", h.Blocked, cause)
	case h.Err != nil:
		return fmt.Errorf("not connected (%w): %w", h.Err, cause)
	case !h.Connected:
		return fmt.Errorf("not connected yet: %w", cause)
	}
	if trouble := p.Trouble(); trouble != nil {
		return fmt.Errorf("no channel to publish on (%w): %w", trouble, cause)
	}
	return cause
}

// Trouble is why a lane could not open its last channel, nil if it could.
func (p *Pipeline) Trouble() error {
	if trouble := p.trouble.Load(); trouble != nil {
		return *trouble
	}
	return nil
}

// leave ends a message and gives its place back. All that has a carrier leaves here, once.
func (p *Pipeline) leave(m *Message, err error) {
	m.end(err)
	p.left(m)
}

// left is leave for messages that have ended.
func (p *Pipeline) left(messages ...*Message) {
	p.router.left(messages...)
	p.roster.left(messages...)
	for _, m := range messages {
		if m.account != nil {
			m.account.give()
		}
	}
}

// giveUp is leave for messages that cannot be sent, or not again: each error says which.
func (p *Pipeline) giveUp(cause error, messages ...*Message) {
	for _, m := range messages {
		m.abandon(cause)
		p.leave(m, cause)
	}
}

// putBack gives messages that no lane carries to the lanes of their keys.
func (p *Pipeline) putBack(messages ...*Message) {
	for _, m := range messages {
		for !p.router.reroute(m, p.openLane).putBack(m) {
			continue // the lane has just ended
		}
	}
}

// InFlight is how many messages have a carrier.
func (p *Pipeline) InFlight() int { return p.roster.inFlight() }

// Stop takes no more messages, waits until ctx ends for those in flight whose callers wait too, and
// ends the pipeline: who still waits is told at once. It may be called twice, and before the first
// message.
func (p *Pipeline) Stop(ctx context.Context) (err error) {
	empty := p.roster.stop()
	select {
	case <-empty:
	case <-ctx.Done():
		if n := p.roster.waiting(); n > 0 {
			err = fmt.Errorf("publisher: stop: %d messages are not confirmed: %w", n, context.Cause(ctx))
		}
	}
	p.cancel(ErrClosed)
	p.roster.abandon(ErrClosed)
	select {
	case <-p.carriers.stop():
	case <-time.After(goodbye): // stuck in a socket that the connection's Stop will close
	}
	return err
}

// goodbye is how long Stop waits for the lanes to close their channels.
const goodbye = time.Second
