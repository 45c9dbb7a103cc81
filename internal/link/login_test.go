package link

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"testing"
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
