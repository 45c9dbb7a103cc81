package link

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/transport"
)

func TestASecretIsRenewedBeforeItExpires(t *testing.T) {
	now := time.Now()
	for life, want := range map[time.Duration]time.Duration{
		20 * time.Second: 16 * time.Second,
		10 * time.Minute: 8 * time.Minute,
		time.Hour:        55 * time.Minute,
		24 * time.Hour:   24*time.Hour - 5*time.Minute,
	} {
		at, expired := newRenewalPace(time.Minute).next(now, now.Add(life))
		if expired || at.Sub(now) != want {
			t.Errorf("one of %s: after %s, want %s", life, at.Sub(now), want)
		}
	}
	if at, expired := newRenewalPace(time.Minute).next(now, time.Time{}); !at.IsZero() || expired {
		t.Error("one that does not expire is renewed")
	}
}

// tries runs a pace until the secret expires, and returns when it was tried.
func tries(t *testing.T, life, longest time.Duration, tried func(p *renewalPace, now, expires time.Time)) (at []time.Duration, end error) {
	t.Helper()
	p, began := newRenewalPace(longest), time.Now()
	now, expires := began, began.Add(life)
	for range 1000 {
		next, expired := p.next(now, expires)
		if expired {
			return at, p.expiry()
		}
		if now = next; now.After(expires) {
			t.Fatalf("tried %s too late", now.Sub(expires))
		}
		at = append(at, now.Sub(began))
		tried(p, now, expires)
	}
	t.Fatal("a thousand tries")
	return nil, nil
}

func TestAFunctionThatFailsIsAskedUntilTheSecretExpires(t *testing.T) {
	down := errors.New("vault is sealed")
	at, end := tries(t, 20*time.Second, time.Minute, func(p *renewalPace, now, expires time.Time) { p.failed(now, expires, down) })
	if len(at) < 5 || at[0] != 16*time.Second || at[len(at)-1] != 20*time.Second {
		t.Errorf("tried at %s", at)
	}
	if !errors.Is(end, down) || !strings.Contains(end.Error(), "has expired") {
		t.Errorf("got %v", end)
	}
}

// golang.org/x/oauth2, for one, gives the same token until ten seconds before its end.
func TestAFunctionThatKeepsTokensIsAskedAgainUntilItGivesAnother(t *testing.T) {
	at, _ := tries(t, time.Hour, time.Minute, func(p *renewalPace, now, expires time.Time) { p.unchanged(now, expires) })
	last := 0
	for _, a := range at {
		if left := time.Hour - a; left < 10*time.Second && left > time.Second {
			last++
		}
	}
	if last < 2 || len(at) > 30 {
		t.Errorf("tried at %s: want few tries, and some in the last ten seconds", at)
	}
}

func TestASecretThatHadExpiredWhenItWasGivenEndsNoSession(t *testing.T) {
	p, now := newRenewalPace(time.Minute), time.Now()
	expires := now.Add(-time.Minute) // one of the two clocks is wrong
	for range 20 {
		at, expired := p.next(now, expires)
		if expired || !at.After(now) {
			t.Fatalf("next at %s, expired %t", at, expired)
		}
		now = at
		p.unchanged(now, expires)
	}
	if took := now.Sub(expires.Add(time.Minute)); took < 10*time.Second {
		t.Errorf("20 tries in %s", took)
	}
}

func TestTheLaterOfTwoSecretsIsTheOneThatLastsLonger(t *testing.T) {
	now, never := time.Now(), time.Time{}
	for _, c := range []struct {
		a, b time.Time
		want bool
	}{{now.Add(1), now, true}, {now, now, false}, {now, now.Add(1), false}, {never, now, true}, {now, never, false}, {never, never, false}} {
		if later(c.a, c.b) != c.want {
			t.Errorf("%s, %s: want %t", c.a, c.b, c.want)
		}
	}
}

// A member that joins while the others get another secret may have one that expires sooner.
func TestAMemberThatJoinsDuringAnUpdateIsNotForgotten(t *testing.T) {
	now := time.Now()
	r := &renewal{expires: now.Add(4 * time.Second), wake: make(chan struct{}, 1)}
	r.updating()
	r.joined(now.Add(10 * time.Second))
	r.updated(now.Add(20 * time.Second))
	if got := r.due().Sub(now); got != 10*time.Second {
		t.Errorf("due after %s, want that of the member", got)
	}
	r.joined(time.Time{}) // never
	r.updating()
	r.updated(now.Add(30 * time.Second))
	if got := r.due().Sub(now); got != 30*time.Second || len(r.wake) > 0 {
		t.Errorf("due after %s, woken %t", got, len(r.wake) > 0)
	}
	r.joined(now.Add(time.Second))
	if got := r.due().Sub(now); got != time.Second || len(r.wake) == 0 {
		t.Errorf("due after %s, woken %t: want to look at once", got, len(r.wake) > 0)
	}
}

// unconnected is a session without a broker, whose secret expires after life.
func unconnected(t *testing.T, life time.Duration) *session {
	t.Helper()
	ours, theirs := net.Pipe()
	m := &member{socket: newSocket(ours)}
	s := newSession(m, time.Second, Target{Addr: "test", Username: "shop"})
	s.renewal = &renewal{
		session: s, timeout: 15 * time.Second, longest: time.Minute, log: slog.New(slog.DiscardHandler), expires: time.Now().Add(life),
		tell: func(error) {},
	}
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		<-m.socket.gone
		s.end(m, m.socket.cause())
	}()
	t.Cleanup(func() {
		s.Abort(net.ErrClosed)
		<-watched
		_ = theirs.Close()
	})
	return s
}

func TestAFunctionThatHangsDoesNotKeepASessionAliveWhoseSecretHasExpired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, began := unconnected(t, 20*time.Second), time.Now()
		s.renewal.ask = newLogins(func(ctx context.Context) (Login, error) { <-ctx.Done(); return Login{}, ctx.Err() }).ask
		s.renewal.begin()
		<-s.Done()
		if took := time.Since(began); took < 20*time.Second || took > 22*time.Second || !strings.Contains(s.Err().Error(), "has not returned in time") {
			t.Errorf("it ended after %s, want 20 s: %v", took, s.Err())
		}
		s.renewal.end()
	})
}

// The broker may not know the other user yet, or be away for new connections.
func TestASessionThatCannotBeReplacedEndsWhenItsSecretExpires(t *testing.T) {
	nobody, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = nobody.Close()
	s := unconnected(t, 300*time.Millisecond)
	l := newLink("test", &Settings{DialTimeout: time.Second, MinBackoff: 20 * time.Millisecond, MaxBackoff: 20 * time.Millisecond}, slog.New(slog.DiscardHandler), func(transport.Event) {})
	defer l.stop()
	timer := time.AfterFunc(10*time.Second, func() { s.Abort(errors.New("the test is out of time")) })
	defer timer.Stop()
	if last := l.replace(s, Target{Addr: nobody.Addr().String()}, Login{Username: "shop-2"}); last != s || !errors.Is(s.Err(), errExpired) {
		t.Errorf("it ended: %v", s.Err())
	}
}
