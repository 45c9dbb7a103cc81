package connection

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/link"
)

// Credentials are what a connection logs in with: see Config.Credentials. They print, log and
// marshal without the Password.
type Credentials struct {
	// Username is the user. With OAuth 2 the broker takes the user from the token; then it should be
	// that name, the claim sub, and may be empty.
	Username string

	// Password is the password, or an OAuth 2 token. It may not be empty. Newlines at its end are
	// not part of it.
	Password string

	// Expires is when the Password must have been replaced, by this machine's clock.
	//
	// Defaults to the zero time: never. Config.Credentials is then asked at each connect only.
	Expires time.Time
}

// String shows the Credentials with the password hidden.
func (c Credentials) String() string {
	if c.Expires.IsZero() {
		return fmt.Sprintf("connection.Credentials{%q}", c.Username)
	}
	return fmt.Sprintf("connection.Credentials{%q until %s}", c.Username, c.Expires.Format(time.RFC3339))
}

// Format writes String for every verb, so that %#v and %d hide the password too.
func (c Credentials) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, c.String()) }

// LogValue is String, so that slog hides the password too.
func (c Credentials) LogValue() slog.Value { return slog.StringValue(c.String()) }

// MarshalText is String, so that JSON and XML hide the password too.
func (c Credentials) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// asked returns Credentials for a link, nil without them.
func (r *resolved) asked() func(context.Context) (link.Login, error) {
	if r.Credentials == nil {
		return nil
	}
	return func(ctx context.Context) (link.Login, error) {
		c, err := r.Credentials(ctx)
		return link.Login(c), err
	}
}

// login refuses a second source of user and password beside Credentials.
func (r *resolved) login() error {
	if r.Credentials == nil {
		return nil
	}
	switch {
	case r.Username != "" && r.Password != "":
		return wrong("Credentials", "is set, and so are Username and Password; want one or the other")
	case r.Username != "":
		return wrong("Credentials", "is set, and so is Username; want one or the other")
	case r.Password != "":
		return wrong("Credentials", "is set, and so is Password; want one or the other")
	}
	for i := range r.targets {
		t := &r.targets[i]
		if t.named && r.note() == "" { // the default URL has one too
			return wrong("Credentials", "is set, and the URL of %s has a user; want one or the other", t.addr)
		}
		t.username, t.password = "", ""
	}
	return nil
}

// trim takes newlines off what may come from a file.
func (r *resolved) trim() {
	for _, s := range []*string{&r.URL, &r.Username, &r.Password, &r.Management} {
		*s = strings.TrimRight(*s, "\r\n")
	}
	urls := make([]string, len(r.URLs))
	for i, u := range r.URLs {
		urls[i] = strings.TrimRight(u, "\r\n")
	}
	r.URLs = urls
}
