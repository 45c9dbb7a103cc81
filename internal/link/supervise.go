package link

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/backoff"
	"github.com/bunnicula-go/bunnicula/internal/transport"
)

// supervise opens one session after the other, until Close.
func (l *link) supervise() {
	defer close(l.done)
	defer l.farewells.Wait()
	targets := l.settings().Targets
	pace := newPacing(l.settings().MinBackoff, l.settings().MaxBackoff)
	var errs []error // since the last pause
	var failures recurrence
	for i := 0; l.ctx.Err() == nil; i++ {
		t := targets[i%len(targets)]
		s, err := l.open(t)
		if err == nil {
			up := time.Now()
			failures.over()
			s = l.tend(s, t)
			l.lose(s, up)
			if errs = nil; time.Since(up) > soon {
				// The first target is tried first again. A target that ends sessions at once is not
				// preferred.
				i = -1
			}
			backoff.Wait(l.ctx, pace.afterLoss(time.Since(up), l.dedicated && transport.EndedByMessage(s.Err())))
			continue
		}
		if l.ctx.Err() != nil {
			return
		}
		errs = append(errs, err)
		all := len(errs) >= len(targets) // otherwise the next target is tried at once
		now := l.set(func(s *state) { s.err, s.refused = err, all && allPermanent(errs) })
		l.failed(&failures, l.severity(now, err), t, err)
		if all {
			backoff.Wait(l.ctx, pace.after(errs...))
			errs = nil
		}
	}
}

// failed logs a failed attempt.
func (l *link) failed(failures *recurrence, severity slog.Level, t Target, err error) {
	isNews, silent := failures.comes(t.Addr+" "+err.Error(), time.Now())
	switch {
	case !isNews:
		l.log.Debug("connect failed", "addr", t.Addr, "err", err)
	case silent > 0:
		l.log.Log(l.ctx, severity, "connect failed", "addr", t.Addr, "err", err, "also", silent)
	default:
		l.log.Log(l.ctx, severity, "connect failed", "addr", t.Addr, "err", err)
	}
}

// severity is that of a failed attempt. A refusal is an error, unless it is told to whoever starts.
func (l *link) severity(now state, err error) slog.Level {
	if transport.Permanent(err) && (now.ever || l.settings().Lazy) {
		return slog.LevelError
	}
	return slog.LevelWarn
}

// lose makes the end of the session known. It posts an event unless Close ended the session.
func (l *link) lose(session *session, up time.Time) {
	stopped := l.ctx.Err() != nil
	l.set(func(s *state) {
		s.session, s.err, s.since, s.renewal = nil, session.Err(), time.Now(), nil
		if !stopped {
			s.lost++
		}
	})
	if !stopped {
		l.log.Warn("connection lost", "addr", session.target.Addr, "after", time.Since(up).Round(time.Millisecond), "err", session.Err())
		l.notice(transport.Event{Kind: transport.Lost, Err: session.Err()})
	}
}

// open dials, and makes the session known.
func (l *link) open(t Target) (*session, error) {
	first, err := l.dial(t, 1)
	if err != nil {
		return nil, err
	}
	t.Username, t.given = first.user, nil
	session := newSession(first, l.settings().ReplyTimeout, t)
	session.notice, session.allowance = l.notice, &l.allowance
	session.another = func(n int) (*member, error) { return l.more(t, n) }
	session.renewal = l.renewalOf(session, t, first.expires)
	go session.watch(first)
	now := l.set(func(s *state) { s.session, s.ever, s.err, s.since, s.renewal = session, true, nil, time.Now(), nil })
	if now.closed { // Close came during the dialling, and does not know this session
		session.Abort(transport.ErrClosed)
		return session, nil
	}
	l.log.Info("connected", "addr", t.Addr, "broker", fmt.Sprint(first.conn.Properties["product"], " ", first.conn.Properties["version"]))
	l.notice(transport.Event{Kind: transport.Connected})
	return session, nil
}

// renewalOf starts the renewal of a session, nil if its login never changes.
func (l *link) renewalOf(s *session, t Target, expires time.Time) *renewal {
	if t.Login == nil {
		return nil
	}
	r := &renewal{
		session: s, ask: t.Login, timeout: l.patience(t), longest: l.settings().MaxBackoff, log: l.log, expires: expires,
		tell: func(err error) { l.set(func(s *state) { s.renewal = err }) },
	}
	r.begin()
	return r
}

// more dials another TCP connection of a session.
func (l *link) more(t Target, n int) (*member, error) {
	m, err := l.dial(t, n)
	if err == nil && m.user != t.Username {
		m.socket.abort(errMoved)
		err = fmt.Errorf("%w: not %q any more", errMoved, t.Username)
	}
	if err != nil {
		l.log.Warn("all channels are in use, and another connection cannot be opened", "addr", t.Addr, "connections", n-1, "err", err)
		return nil, err
	}
	l.log.Info("all channels are in use, opened another connection", "addr", t.Addr, "connections", n, "channel_max", m.conn.Config.ChannelMax)
	return m, nil
}
