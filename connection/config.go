package connection

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// Config says where the broker is and how to stay connected to it. The zero
// Config is a broker on this machine, with the user and password guest.
type Config struct {
	// URL is the broker, as amqp://user:password@host:5672/vhost, or amqps:// for TLS.
	// Special characters are percent-encoded; the vhost "/" is written %2F, or left out.
	// The query parameters of RabbitMQ's URI specification are understood
	// (https://www.rabbitmq.com/docs/uri-query-parameters).
	//
	// Defaults to amqp://guest:guest@localhost:5672/. Give URL, URLs or Host, not two of them.
	URL string

	// URLs are the nodes of one cluster. They are tried in turn, from the first, at
	// start and after each loss.
	URLs []string

	// Host and Port name the broker when there is no URL.
	//
	// Port defaults to 5672, or 5671 with TLS.
	Host string
	Port int

	// Username, Password and VHost replace those in the URL when they are not empty.
	Username string
	Password string
	VHost    string

	// Name is shown by the broker's tools beside each connection, with its purpose
	// behind it, as in "shop (consume)". It is also the app's name in the headers of
	// retried and parked messages.
	//
	// Defaults to the program's file name.
	Name string

	// TLS is used for amqps URLs, and for Host when it is not nil. It is cloned. The
	// broker's certificate is verified unless you say otherwise here.
	//
	// Defaults to the system's authorities, the URL's host as ServerName, TLS 1.2 or newer.
	TLS *tls.Config

	// CAFile, CertFile and KeyFile are PEM files: the authority that signed the broker's
	// certificate, and this client's certificate and key. They are read again at each
	// connect, so that a renewed certificate is taken up. Setting one turns on TLS for Host.
	CAFile   string
	CertFile string
	KeyFile  string

	// Heartbeat is how often the peers show each other that they live. A peer that is
	// silent for one and a half of it is given up. Whole seconds, from 1 s to 1 h; the
	// broker may ask for less.
	//
	// Defaults to 10 s.
	Heartbeat time.Duration

	// DialTimeout bounds one attempt to connect: TCP, TLS and the AMQP handshake.
	//
	// Defaults to 15 s. RabbitMQ takes 3 s to refuse a password.
	DialTimeout time.Duration

	// ReplyTimeout bounds the wait for the broker's answer to a request such as declaring
	// a queue. A session whose broker does not answer is ended.
	//
	// Defaults to 30 s.
	ReplyTimeout time.Duration

	// MinBackoff and MaxBackoff bound the pause before a lost connection is tried again.
	// It doubles from one to the other, and each pause is a random part of it. A refusal
	// that looks permanent, such as a wrong password, waits MaxBackoff at once.
	//
	// Default to 100 ms and 30 s.
	MinBackoff time.Duration
	MaxBackoff time.Duration
}

// Defaults of Config.
const (
	DefaultHeartbeat    = 10 * time.Second
	DefaultDialTimeout  = 15 * time.Second
	DefaultReplyTimeout = 30 * time.Second
	DefaultMinBackoff   = 100 * time.Millisecond
	DefaultMaxBackoff   = 30 * time.Second
)

// ConfigFromEnv reads a Config from the environment:
//
//	AMQP_URL              one URL, or several with commas between them
//	AMQP_USERNAME         instead of the URL's
//	AMQP_PASSWORD         instead of the URL's
//	AMQP_VHOST            instead of the URL's
//	AMQP_CONNECTION_NAME  Name
//	AMQP_HEARTBEAT        Heartbeat, as 10s or a number of seconds
//	AMQP_CA_FILE          CAFile
//	AMQP_CERT_FILE        CertFile
//	AMQP_KEY_FILE         KeyFile
//
// What is not set keeps Config's default. The error names the variable.
func ConfigFromEnv() (Config, error) {
	c := Config{
		Username: os.Getenv("AMQP_USERNAME"),
		Password: os.Getenv("AMQP_PASSWORD"),
		VHost:    os.Getenv("AMQP_VHOST"),
		Name:     os.Getenv("AMQP_CONNECTION_NAME"),
		CAFile:   os.Getenv("AMQP_CA_FILE"),
		CertFile: os.Getenv("AMQP_CERT_FILE"),
		KeyFile:  os.Getenv("AMQP_KEY_FILE"),
	}
	if urls := os.Getenv("AMQP_URL"); strings.Contains(urls, ",") {
		for u := range strings.SplitSeq(urls, ",") {
			c.URLs = append(c.URLs, strings.TrimSpace(u))
		}
	} else {
		c.URL = urls
	}
	if s := os.Getenv("AMQP_HEARTBEAT"); s != "" {
		h, err := time.ParseDuration(s)
		if err != nil {
			n, err := strconv.Atoi(s)
			if err != nil {
				return Config{}, fmt.Errorf("connection: AMQP_HEARTBEAT is %q, want a duration such as 10s", s)
			}
			h = time.Duration(n) * time.Second
		}
		c.Heartbeat = h
		if h <= 0 {
			return Config{}, fmt.Errorf("connection: AMQP_HEARTBEAT is %q, want at least 1s", s)
		}
	}
	if _, err := c.resolve(); err != nil {
		return Config{}, err
	}
	return c, nil
}

// String shows the Config with every password and query parameter hidden.
func (c Config) String() string {
	var where string
	if r, err := c.resolve(); err != nil {
		where = "invalid"
	} else {
		for i, t := range r.targets {
			if i > 0 {
				where += ","
			}
			where += t.String()
		}
	}
	return fmt.Sprintf("connection.Config{%s name=%q heartbeat=%s}", where, c.Name, cmp.Or(c.Heartbeat, DefaultHeartbeat))
}

// GoString is String, so that %#v hides passwords as well.
func (c Config) GoString() string { return c.String() }

// target is one broker to dial.
type target struct {
	secure             bool
	addr, host         string
	username, password string
	vhost              string
	serverName         string
	sasl               []string
	ca, cert, key      string
	heartbeat          time.Duration // of the URL; 0 is the Config's
	dialTimeout        time.Duration // of the URL; 0 is the Config's
}

// String leaves the password out.
func (t target) String() string {
	scheme := "amqp"
	if t.secure {
		scheme = "amqps"
	}
	return (&url.URL{Scheme: scheme, User: url.User(t.username), Host: t.addr, Path: "/" + t.vhost}).String()
}

// resolved is a Config that was checked and has its defaults.
type resolved struct {
	Config
	targets []target
}

// resolve checks every field. Its errors name the field and show no password:
// url.Parse, amqp.ParseURI and their errors do show it.
func (c Config) resolve() (resolved, error) {
	r := resolved{Config: c}
	given := 0
	for _, set := range []bool{c.URL != "", len(c.URLs) > 0, c.Host != ""} {
		if set {
			given++
		}
	}
	if given > 1 {
		return r, errors.New("connection: give one of URL, URLs and Host, not several")
	}
	switch {
	case len(c.URLs) > 0:
		for i, u := range c.URLs {
			t, err := c.fromURL(fmt.Sprintf("URLs[%d]", i), u)
			if err != nil {
				return r, err
			}
			r.targets = append(r.targets, t)
		}
	case c.Host != "":
		if strings.ContainsAny(c.Host, "/@ ") {
			return r, errors.New("connection: Host is not a host name; a URL goes into URL")
		}
		secure := c.TLS != nil || c.CAFile != "" || c.CertFile != ""
		port := cmp.Or(c.Port, map[bool]int{false: 5672, true: 5671}[secure])
		r.targets = []target{c.override(target{
			secure: secure, host: c.Host, addr: net.JoinHostPort(c.Host, strconv.Itoa(port)),
			username: "guest", password: "guest", vhost: "/",
		})}
	default:
		t, err := c.fromURL("URL", cmp.Or(c.URL, "amqp://guest:guest@localhost:5672/"))
		if err != nil {
			return r, err
		}
		r.targets = []target{t}
	}
	if c.Port < 0 || c.Port > 65535 {
		return r, fmt.Errorf("connection: Port is %d, want 1 to 65535", c.Port)
	}
	if c.Port != 0 && c.Host == "" {
		return r, fmt.Errorf("connection: Port is %d, but Host is empty; a URL carries its own port", c.Port)
	}
	if (c.CertFile == "") != (c.KeyFile == "") {
		return r, errors.New("connection: CertFile and KeyFile go together, one is empty")
	}
	if strings.ContainsFunc(c.Name, func(r rune) bool { return r < ' ' }) || len(c.Name) > 200 {
		return r, fmt.Errorf("connection: Name is %q, want at most 200 bytes of text", cut(c.Name, 40))
	}
	for _, f := range []struct {
		name     string
		value    *time.Duration
		min, max time.Duration
		def      time.Duration
	}{
		{"Heartbeat", &r.Heartbeat, time.Second, time.Hour, DefaultHeartbeat},
		{"DialTimeout", &r.DialTimeout, time.Millisecond, time.Hour, DefaultDialTimeout},
		{"ReplyTimeout", &r.ReplyTimeout, time.Millisecond, time.Hour, DefaultReplyTimeout},
		{"MinBackoff", &r.MinBackoff, time.Millisecond, time.Hour, DefaultMinBackoff},
		{"MaxBackoff", &r.MaxBackoff, time.Millisecond, 24 * time.Hour, max(DefaultMaxBackoff, r.MinBackoff)},
	} {
		*f.value = cmp.Or(*f.value, f.def)
		if *f.value < f.min || *f.value > f.max {
			return r, fmt.Errorf("connection: %s is %s, want %s to %s", f.name, *f.value, f.min, f.max)
		}
	}
	if r.MinBackoff > r.MaxBackoff {
		return r, fmt.Errorf("connection: MinBackoff is %s, above MaxBackoff %s", r.MinBackoff, r.MaxBackoff)
	}
	if r.Name == "" {
		r.Name = programName()
	}
	for _, t := range r.targets {
		if _, err := r.tlsConfig(t); err != nil {
			return r, err
		}
	}
	return r, nil
}

func (c Config) fromURL(field, raw string) (target, error) {
	scheme, _, found := strings.Cut(raw, "://")
	if raw == "" || !found {
		return target{}, fmt.Errorf("connection: %s is not a URL, want amqp://user:password@host:5672/vhost", field)
	}
	if scheme != "amqp" && scheme != "amqps" {
		return target{}, fmt.Errorf("connection: %s has the scheme %q, want amqp or amqps", field, cut(scheme, 20))
	}
	u, err := url.Parse(raw)
	if err != nil {
		return target{}, fmt.Errorf("connection: %s cannot be parsed, want %s://user:password@host:5672/vhost with special characters percent-encoded", field, scheme)
	}
	uri, err := amqp.ParseURI(raw)
	if err != nil {
		why := "is not a valid AMQP URL"
		for _, p := range []string{"heartbeat", "connection_timeout", "channel_max", "auth_mechanism"} {
			if v := u.Query().Get(p); v != "" && strings.Contains(err.Error(), p) {
				why = fmt.Sprintf("has a bad query parameter %s=%q", p, cut(v, 20))
			}
		}
		return target{}, fmt.Errorf("connection: %s %s (https://www.rabbitmq.com/docs/uri-spec)", field, why)
	}
	if uri.Port < 1 || uri.Port > 65535 {
		return target{}, fmt.Errorf("connection: %s has the port %d, want 1 to 65535", field, uri.Port)
	}
	t := target{
		secure: uri.Scheme == "amqps", host: uri.Host, addr: net.JoinHostPort(uri.Host, strconv.Itoa(uri.Port)),
		username: uri.Username, password: uri.Password, vhost: uri.Vhost,
		serverName: uri.ServerName, sasl: uri.AuthMechanism,
		ca: uri.CACertFile, cert: uri.CertFile, key: uri.KeyFile,
		dialTimeout: time.Duration(uri.ConnectionTimeout) * time.Millisecond,
	}
	if s := u.Query().Get("heartbeat"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			return target{}, fmt.Errorf("connection: %s has a bad query parameter heartbeat=%q", field, cut(s, 20))
		}
		// 0 would turn off the only thing that notices a frozen peer.
		t.heartbeat = time.Duration(max(n, 1)) * time.Second
	}
	return c.override(t), nil
}

func (c Config) override(t target) target {
	t.username = cmp.Or(c.Username, t.username)
	t.password = cmp.Or(c.Password, t.password)
	t.vhost = cmp.Or(c.VHost, t.vhost)
	t.ca, t.cert, t.key = cmp.Or(c.CAFile, t.ca), cmp.Or(c.CertFile, t.cert), cmp.Or(c.KeyFile, t.key)
	return t
}

// tlsConfig is nil for a target without TLS.
func (c Config) tlsConfig(t target) (*tls.Config, error) {
	if !t.secure {
		return nil, nil
	}
	cfg := &tls.Config{}
	if c.TLS != nil {
		cfg = c.TLS.Clone()
	}
	if cfg.MinVersion == 0 {
		cfg.MinVersion = tls.VersionTLS12
	}
	if cfg.ServerName == "" {
		cfg.ServerName = cmp.Or(t.serverName, t.host)
	}
	if t.ca != "" {
		pem, err := os.ReadFile(t.ca)
		if err != nil {
			return nil, fmt.Errorf("connection: CAFile: %w", err)
		}
		cfg.RootCAs = x509.NewCertPool()
		if !cfg.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("connection: CAFile %q holds no PEM certificate", t.ca)
		}
	}
	if t.cert != "" {
		pair, err := tls.LoadX509KeyPair(t.cert, t.key)
		if err != nil {
			return nil, fmt.Errorf("connection: CertFile and KeyFile: %w", err)
		}
		cfg.Certificates = []tls.Certificate{pair}
	}
	return cfg, nil
}

// auth prefers what the URL asks for; EXTERNAL takes the user from the client certificate.
func (t target) auth() []amqp.Authentication {
	plain := &amqp.PlainAuth{Username: t.username, Password: t.password}
	if slices.ContainsFunc(t.sasl, func(m string) bool { return strings.EqualFold(m, "external") }) {
		return []amqp.Authentication{&amqp.ExternalAuth{}, plain}
	}
	return []amqp.Authentication{plain}
}

func cmpOr[T comparable](values ...T) T {
	var zero T
	for _, v := range values {
		if v != zero {
			return v
		}
	}
	return zero
}

func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "..."
}

func programName() string {
	name := os.Args[0]
	if i := strings.LastIndexAny(name, `/\`); i >= 0 {
		name = name[i+1:]
	}
	return cut(name, 100)
}
