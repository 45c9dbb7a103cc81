// Package management asks RabbitMQ's management API for facts that AMQP does not tell: which queues
// exist, with which arguments and policies, how many messages are unacknowledged, and the state of
// the nodes.
package management

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// Client asks one management API.
type Client struct {
	base           url.URL // without the user
	user, password string
	login          func(context.Context) (user, password string, err error) // nil: those above
	refused        func()                                                   // the login was
	http           *http.Client
}

// As returns a Client that asks for its user and password before each request, unless c has a user
// of its own. refused is called when the API refuses them.
func (c *Client) As(login func(context.Context) (user, password string, err error), refused func()) *Client {
	if c.user != "" {
		return c
	}
	other := *c
	other.login, other.refused = login, refused
	return &other
}

// New checks the URL, as http://user:password@host:15672. Its errors show no password. The caller
// owns the http.Client, whose transport may have the authorities of a private TLS.
func New(raw string, client *http.Client) (*Client, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, errors.New("management API: the URL is not one, want http://user:password@host:15672 with special characters percent-encoded")
	}
	c := &Client{base: *u, user: u.User.Username(), http: client}
	c.password, _ = u.User.Password()
	c.base.User, c.base.RawQuery, c.base.Fragment = nil, "", ""
	return c, nil
}

// String is the API's address, without a password.
func (c *Client) String() string { return c.base.String() }

// ErrRefused is wrapped by the error for a user or a password that the API does not accept (401),
// or for a user without the tag "monitoring" (403).
var ErrRefused = errors.New("refused: it takes a user with the tag monitoring, and the password")

// ErrNotFound is wrapped by the error for what does not exist (404).
var ErrNotFound = errors.New("not found")

// get asks for /api/path, whose parts are escaped, and decodes the answer into v.
func (c *Client) get(ctx context.Context, v any, path ...string) error {
	return c.query(ctx, v, nil, path...)
}

// query is get with parameters.
func (c *Client) query(ctx context.Context, v any, parameters url.Values, path ...string) error {
	for i, p := range path {
		path[i] = url.PathEscape(p)
	}
	ask := strings.TrimSuffix(c.base.String(), "/") + "/api/" + strings.Join(path, "/")
	if len(parameters) > 0 {
		ask += "?" + parameters.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, ask, nil)
	if err != nil {
		return fmt.Errorf("management API: %w", err)
	}
	user, password := c.user, c.password
	if c.login != nil {
		if user, password, err = c.login(ctx); err != nil {
			return fmt.Errorf("management API: %w", err)
		}
	}
	req.SetBasicAuth(user, password)
	answer, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("management API: %w", err)
	}
	defer func() { _ = answer.Body.Close() }()
	switch {
	case answer.StatusCode == http.StatusUnauthorized, answer.StatusCode == http.StatusForbidden:
		if c.refused != nil {
			c.refused()
		}
		return fmt.Errorf("management API: %s: %w", ask, ErrRefused)
	case answer.StatusCode == http.StatusNotFound:
		return fmt.Errorf("management API: %s: %s: %w", ask, answer.Status, ErrNotFound)
	case answer.StatusCode != http.StatusOK:
		return fmt.Errorf("management API: %s: %s", ask, answer.Status)
	}
	decoder := json.NewDecoder(io.LimitReader(answer.Body, 256<<20))
	decoder.UseNumber()
	if err := decoder.Decode(v); err != nil {
		return fmt.Errorf("management API: %s: the answer cannot be read: %w", ask, err)
	}
	return nil
}
