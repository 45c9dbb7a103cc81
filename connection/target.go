package connection

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// target is one broker to dial.
type target struct {
	secure             bool
	addr, host         string
	username, password string
	named              bool // the URL has a user
	vhost              string
	serverName         string
	sasl               []string
	ca, cert, key      string
	heartbeat          time.Duration // from the URL; 0 means the Config's
	dialTimeout        time.Duration // from the URL; 0 means the Config's
}

// String leaves the password out.
func (t target) String() string {
	u := url.URL{Scheme: "amqp", User: url.User(t.username), Host: t.addr, Path: "/" + t.vhost, RawPath: "/" + url.PathEscape(t.vhost)}
	if t.secure {
		u.Scheme = "amqps"
	}
	return u.String()
}

var aScheme = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9+.-]{0,19}$`)

// fromURL reads a URL. An error shows only what cannot be part of a password. Text in the wrong
// place, or text that is not percent-encoded, can be.
func fromURL(field, raw string) (target, error) {
	u, err := parseURL(field, raw)
	if err != nil {
		return target{}, err
	}
	uri, err := amqp.ParseURI(raw)
	if err != nil {
		for _, p := range []string{"heartbeat", "connection_timeout", "channel_max"} {
			if strings.HasPrefix(err.Error(), p) {
				return target{}, wrong(field, "has a bad query parameter %s=%q", p, cut(u.Query().Get(p), 20))
			}
		}
		return target{}, wrong(field, "is not a valid AMQP URL (https://www.rabbitmq.com/docs/uri-spec)")
	}
	if err := checkURI(field, uri, u.Query()); err != nil {
		return target{}, err
	}
	t := target{
		secure: uri.Scheme == "amqps", host: uri.Host, addr: net.JoinHostPort(uri.Host, strconv.Itoa(uri.Port)),
		username: uri.Username, password: uri.Password, vhost: uri.Vhost, named: u.User != nil,
		serverName: uri.ServerName, sasl: uri.AuthMechanism,
		ca: uri.CACertFile, cert: uri.CertFile, key: uri.KeyFile,
		dialTimeout: time.Duration(uri.ConnectionTimeout) * time.Millisecond,
	}
	if n, err := strconv.Atoi(u.Query().Get("heartbeat")); err == nil {
		// 0 would turn off the only detection of a frozen peer.
		t.heartbeat = time.Duration(min(max(n, 1), 3600)) * time.Second
	}
	return t, nil
}

// parseURL parses a URL whose scheme is amqp or amqps.
func parseURL(field, raw string) (*url.URL, error) {
	scheme, rest, found := strings.Cut(raw, "://")
	switch {
	case !found:
		return nil, wrong(field, "is not a URL, want amqp://user:password@host:5672/vhost")
	case scheme != "amqp" && scheme != "amqps":
		if !aScheme.MatchString(scheme) {
			return nil, wrong(field, "does not begin with amqp:// or amqps://")
		}
		return nil, wrong(field, "has the scheme %q, want amqp or amqps", scheme)
	case betweenURLs.MatchString(rest):
		return nil, wrong(field, "holds several URLs, which go into URLs")
	}
	u, err := url.Parse(raw)
	if err != nil {
		return nil, wrong(field, "cannot be parsed, want %s://user:password@host:5672/vhost with a number as port and special characters percent-encoded", scheme)
	}
	if i := strings.IndexAny(rest, "/?#"); i >= 0 && strings.ContainsAny(rest[i:], "@#") {
		// url.Parse takes amqp://user:12/34@host for the port 12 of the host "user".
		return nil, wrong(field, "has an @ or # in the wrong place, special characters such as / ? # @ are percent-encoded")
	}
	return u, nil
}

// checkURI refuses what the client library accepts by mistake.
func checkURI(field string, uri amqp.URI, query url.Values) error {
	if notAHost(uri.Host) {
		return wrong(field, "has a host that is neither a name nor an address")
	}
	if uri.Port < 1 || uri.Port > 65535 {
		return wrong(field, "has the port %d, want 1 to 65535", uri.Port)
	}
	for _, p := range []string{"cacertfile", "certfile", "keyfile", "server_name_indication"} {
		if uri.Scheme == "amqp" && query.Has(p) {
			return wrong(field, "begins with amqp://, but has the parameter %s; want amqps://", p)
		}
	}
	return nil
}

// tlsConfig returns nil for a target without TLS.
func (r *resolved) tlsConfig(t target) (*tls.Config, error) {
	if !t.secure {
		return nil, nil
	}
	cfg := &tls.Config{}
	if r.TLS != nil {
		cfg = r.TLS.Clone()
	}
	if cfg.MinVersion == 0 {
		cfg.MinVersion = tls.VersionTLS12
	}
	cfg.ServerName = cmp.Or(cfg.ServerName, t.serverName, t.host)
	if t.ca != "" {
		pem, err := os.ReadFile(t.ca)
		if err != nil {
			return nil, &fieldError{field: "CAFile", err: err}
		}
		cfg.RootCAs = x509.NewCertPool()
		if !cfg.RootCAs.AppendCertsFromPEM(pem) {
			return nil, wrong("CAFile", "%q holds no PEM certificate", t.ca)
		}
	}
	if t.cert != "" || t.key != "" {
		pair, err := tls.LoadX509KeyPair(t.cert, t.key)
		if err != nil {
			return nil, &fieldError{field: "CertFile, KeyFile", err: fmt.Errorf("%q, %q: %w", t.cert, t.key, err)}
		}
		cfg.Certificates = []tls.Certificate{pair}
	}
	return cfg, nil
}
