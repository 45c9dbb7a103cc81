package console

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/bunnicula-go/bunnicula/console/internal/snapshot"
	"github.com/bunnicula-go/bunnicula/internal/management"
)

// Console is an http.Handler. It is safe for use by many goroutines.
type Console struct {
	cfg      Config // resolved; immutable
	identify func(*http.Request) (User, error)
	sameSite *http.CrossOriginProtection
	tickets  *tickets
	broker   *broker
	store    *snapshot.Store
	scarce   *scarce
	decoder  *decoder
}

// New makes a Console. It does not wait for the broker.
func New(cfg Config) (*Console, error) {
	cfg, err := cfg.resolve()
	if err != nil {
		return nil, fmt.Errorf("console: %w", err)
	}
	c := &Console{cfg: cfg, identify: cfg.Identify, sameSite: http.NewCrossOriginProtection(), tickets: newTickets(cfg.Key)}
	switch {
	case c.identify != nil:
	case cfg.Login != nil:
		c.identify = cfg.Login.identify
	default:
		c.identify = local
	}
	var api *management.Client
	if cfg.ManagementURL != "" {
		if api, err = management.New(cfg.ManagementURL, cfg.ManagementClient); err != nil {
			return nil, fmt.Errorf("console: %w", err)
		}
	}
	c.broker = newBroker(cfg.Connection, api, cfg.Topology)
	c.decoder = newDecoder(cfg.Decode, cfg.Log)
	c.scarce = &scarce{conn: cfg.Connection, api: api, limits: map[string]int{}}
	c.store = snapshot.NewStore(snapshot.Config{
		Open:     opener(cfg, c.scarce),
		ByHand:   c.scarce.few,
		Index:    cfg.index,
		SpoolDir: cfg.SpoolDir,
		Redact:   cfg.Redact,
		Log:      cfg.Log,
	})
	return c, nil
}

// Close ends readings and waits until their messages are given back, for as long as ctx lasts.
// Requests after it are answered with an error.
func (c *Console) Close(ctx context.Context) {
	c.store.Close(ctx)
	c.decoder.close(ctx)
}

const mostForm = 1 << 20 // bytes of a form

// ServeHTTP answers one request.
func (c *Console) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a := &answer{console: c, w: w, r: r, nonce: harden(w.Header())}
	parts := c.parts(r.URL)
	if len(parts) == 2 && parts[0] == "static" {
		a.static(parts[1])
		return
	}
	if len(parts) == 1 && parts[0] == "login" && c.cfg.Login != nil {
		a.login()
		return
	}
	user, refused := c.admit(r)
	if refused != nil {
		a.problem(refused)
		return
	}
	a.user = user
	if r.Method == http.MethodPost {
		r.Body = http.MaxBytesReader(w, r.Body, mostForm)
	}
	a.route(parts)
}

// parts returns the segments of a path below the BasePath. A proxy, or http.StripPrefix, may have
// removed the BasePath. The names in it may have slashes, which are escaped.
func (c *Console) parts(u *url.URL) []string {
	p := u.EscapedPath()
	if rest, ok := strings.CutPrefix(p+"/", c.cfg.BasePath); ok {
		p = rest
	}
	p = strings.Trim(p, "/")
	if p == "" {
		return nil
	}
	parts := strings.Split(p, "/")
	for i, s := range parts {
		if plain, err := url.PathUnescape(s); err == nil {
			parts[i] = plain
		}
	}
	return parts
}

// path makes the path of a page. It escapes the segments.
func (c *Console) path(segments ...string) string {
	escaped := make([]string, len(segments))
	for i, s := range segments {
		escaped[i] = url.PathEscape(s)
	}
	return c.cfg.BasePath + strings.Join(escaped, "/")
}
