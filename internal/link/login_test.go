package link

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/transport"
)

// A token of OAuth 2 may be longer than what is kept of an error elsewhere.
func TestAnErrorBesideALongSecretDoesNotShowIt(t *testing.T) {
	token := strings.Repeat("eyJhbGciOi", 500) + `/+="`
	for name, text := range map[string]string{
		"plain":  token,
		"behind": strings.Repeat("x", 1<<10) + token,
		"quoted": fmt.Sprintf("%q", token),
		"in URL": "https://vault/?token=" + url.QueryEscape(token),
	} {
		g := newLogins(func(context.Context) (Login, error) { return Login{Password: token}, errors.New(text) })
		_, err := g.ask(t.Context())
		if err == nil || strings.Contains(err.Error(), "eyJhbGciOi") || !strings.Contains(err.Error(), "[REDACTED]") {
			t.Errorf("%s: it is shown: %.80s", name, err)
		}
	}
}

type panics struct{}

func (*panics) Error() string { panic("no text") }

func TestAnErrorOfCredentialsIsSafeForWhoeverUsesIt(t *testing.T) {
	for want, given := range map[string]error{"failed: *link.panics: its Error method panicked": (*panics)(nil), "failed: EOF": io.EOF, "failed: long": errors.New("long" + strings.Repeat("g", 1<<20))} {
		g := newLogins(func(context.Context) (Login, error) { return Login{}, given })
		_, err := g.ask(t.Context())
		if text := err.Error(); !strings.Contains(text, want) || len(text) > 65<<10 || !errors.Is(err, given) {
			t.Errorf("got %.80s, want %q", text, want)
		}
	}
}

func TestTCPAndTheHandshakesShareOneTimeoutAndALoginHasItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broker, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer broker.Close()
		l := newLink("test", &Settings{DialTimeout: 15 * time.Second}, slog.New(slog.DiscardHandler), func(transport.Event) {})
		defer l.stop()
		for _, asking := range []time.Duration{0, time.Second, 2 * slowLogin} {
			target := Target{Addr: broker.Addr().String()}
			if asking > 0 {
				target.Login = func(context.Context) (Login, error) { time.Sleep(asking); return Login{Username: "shop"}, nil }
			}
			began := time.Now()
			raw, _, deadline, err := l.reach(target)
			if err != nil {
				t.Fatal(err)
			}
			_ = raw.Close()
			if all := deadline.Sub(began); all != 15*time.Second+asking {
				t.Errorf("an attempt with a login of %s has %s", asking, all)
			}
		}
	})
}

// What asks the management API tries every two seconds until it is answered.
func TestAUserWhomTheManagementAPIRefusesCostsFewLeases(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		g := newLogins(func(context.Context) (Login, error) { asked++; return Login{Username: "shop", Password: "lease"}, nil })
		for began := time.Now(); time.Since(began) < 6*time.Minute; time.Sleep(2 * time.Second) {
			if _, err := g.recent(t.Context()); err != nil {
				t.Fatal(err)
			}
			g.forget()
		}
		if asked != 3 {
			t.Errorf("asked %d times in 6 minutes, want at first, after the first refusal and 5 minutes later", asked)
		}
	})
}
