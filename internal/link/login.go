package link

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/foreign"
)

// Login is what one TCP connection logs in with.
type Login struct {
	Username string
	Password string
	Expires  time.Time // when the Password must have been renewed; zero is never
}

// logins asks the application for Logins, one call at a time, and remembers the last answer.
type logins struct {
	get  func(context.Context) (Login, error) // immutable: the application's
	turn chan struct{}                        // held by the call that runs

	mu     sync.Mutex   // guards what is below
	last   func() Login // a function: fmt would print the password; nil before the first answer
	forgot time.Time    // when last was refused, and taken away
}

func newLogins(get func(context.Context) (Login, error)) *logins {
	return &logins{get: get, turn: make(chan struct{}, 1)}
}

// share lets all targets, and a management API without a user of its own, ask for their logins
// together.
func (s *Settings) share() {
	if s.Login == nil {
		return
	}
	g := newLogins(s.Login)
	targets := slices.Clone(s.Targets)
	for i := range targets {
		targets[i].Login = g.ask
	}
	s.Targets = targets
	if s.Management != nil {
		s.Management = s.Management.As(func(ctx context.Context) (user, password string, err error) {
			l, err := g.recent(ctx)
			return l.Username, l.Password, err
		}, g.forget)
	}
}

// loginError is the error for an application that gives no login. It shows no password.
func loginError(format string, args ...any) error {
	return fmt.Errorf("connection: Config.Credentials "+format, args...)
}

// ask calls the application's function. It returns when ctx ends, also if the function does not.
// Then no other call is made before that one has returned.
func (g *logins) ask(ctx context.Context) (Login, error) {
	select {
	case g.turn <- struct{}{}:
	case <-ctx.Done():
		return Login{}, loginError("has not returned in time: %w", context.Cause(ctx))
	}
	type answer struct {
		login Login
		err   error
	}
	answered := make(chan answer, 1)
	go func() {
		a := answer{err: loginError("called runtime.Goexit")}
		defer func() {
			if p := recover(); p != nil {
				a = answer{err: loginError("panicked: %s", foreign.Panic(p))}
			}
			<-g.turn
			answered <- a
		}()
		a.login, a.err = g.get(ctx)
	}()
	select {
	case a := <-answered:
		return g.judge(a.login, a.err)
	case <-ctx.Done():
		return Login{}, loginError("has not returned in time: %w", context.Cause(ctx))
	}
}

// judge remembers a good answer.
func (g *logins) judge(login Login, err error) (Login, error) {
	login.Username, login.Password = strings.TrimRight(login.Username, "\r\n"), strings.TrimRight(login.Password, "\r\n")
	g.mu.Lock()
	defer g.mu.Unlock()
	if err == nil && login.Password == "" {
		err = errors.New("it gave no password")
	}
	if err == nil {
		g.last = func() Login { return login }
		return login, nil
	}
	secrets := []string{login.Password}
	if g.last != nil {
		secrets = append(secrets, g.last().Password)
	}
	return Login{}, loginError("failed: %w", without(err, secrets))
}

// without is err, or its text without the secrets if it has one of them. They are looked for before
// the text is cut: a part of a token is a secret too.
func without(err error, secrets []string) error {
	text := foreign.Text(err, math.MaxInt)
	shown := text
	for _, s := range secrets {
		if s != "" {
			shown = hide(shown, s)
		}
	}
	if shown != text {
		return errors.New(foreign.Cut(shown, foreign.MaxText))
	}
	return foreign.Safe(err)
}

// hide takes a secret out of a text, also as it stands in a URL and in quotes.
func hide(text, secret string) string {
	quoted := strconv.Quote(secret)
	for _, form := range []string{secret, url.QueryEscape(secret), url.PathEscape(secret), quoted[1 : len(quoted)-1]} {
		text = strings.ReplaceAll(text, form, "[REDACTED]")
	}
	return text
}

// recent returns the last Login, or another one if that has expired.
func (g *logins) recent(ctx context.Context) (Login, error) {
	g.mu.Lock()
	last := g.last
	g.mu.Unlock()
	if last != nil {
		if l := last(); l.Expires.IsZero() || time.Until(l.Expires) > time.Second {
			return l, nil
		}
	}
	return g.ask(ctx)
}

// forgetEvery is how often a refused login is replaced by another one at most. A user who may not use
// the management API is refused each time, every few seconds, and each answer of the application may
// be a lease.
const forgetEvery = 5 * time.Minute

// forget lets the next call of recent ask again, after a refusal.
func (g *logins) forget() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if now := time.Now(); g.forgot.IsZero() || now.Sub(g.forgot) >= forgetEvery {
		g.last, g.forgot = nil, now
	}
}
