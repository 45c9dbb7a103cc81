package connection

import (
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/link"
	"github.com/bunnicula-go/bunnicula/internal/management"
)

// fieldError says which field of a Config is wrong. It shows no password.
type fieldError struct {
	field, problem string
	err            error
}

func (e *fieldError) Error() string {
	if e.err != nil {
		return fmt.Sprintf("connection: %s: %v", e.field, e.err)
	}
	return fmt.Sprintf("connection: %s %s", e.field, e.problem)
}

func (e *fieldError) Unwrap() error { return e.err }

func wrong(field, format string, args ...any) error {
	return &fieldError{field: field, problem: fmt.Sprintf(format, args...)}
}

// resolved is a checked Config with its defaults filled in.
type resolved struct {
	Config
	targets    []target
	management *management.Client // nil without one
}

// resolve checks every field. Its error has a line for each that is wrong, which names the field and
// shows no password. It does not wrap the errors of url.Parse and amqp.ParseURI, which show it.
func (c Config) resolve() (*resolved, error) {
	r := &resolved{Config: c}
	r.trim()
	var errs []error // of all fields, so that they are mended together
	for _, step := range []func() error{r.where, r.login, r.files, r.naming, r.durations, r.manage} {
		if err := step(); err != nil {
			errs = append(errs, err)
		}
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	for _, t := range r.targets {
		if _, err := r.tlsConfig(t); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// manage makes the client of the management API.
func (r *resolved) manage() (err error) {
	if r.Management == "" {
		return nil
	}
	web := http.DefaultTransport.(*http.Transport).Clone()
	if r.TLS != nil || r.CAFile != "" || r.CertFile != "" {
		if web.TLSClientConfig, err = r.tlsConfig(target{secure: true, ca: r.CAFile, cert: r.CertFile, key: r.KeyFile}); err != nil {
			return err
		}
		web.TLSClientConfig.ServerName = "" // the API's own host
	}
	if r.management, err = management.New(r.Management, link.ManagementClient(web)); err != nil {
		return &fieldError{field: "Management", err: err}
	}
	return nil
}

// settings returns the Settings of a link. Certificates are read again at each connect.
func (r *resolved) settings() link.Settings {
	s := link.Settings{
		Name: r.Name, Version: r.Version, Management: r.management,
		Heartbeat: r.Heartbeat, DialTimeout: r.DialTimeout, ReplyTimeout: r.ReplyTimeout,
		MinBackoff: r.MinBackoff, MaxBackoff: r.MaxBackoff, Lazy: r.Lazy, Login: r.asked(),
	}
	for _, t := range r.targets {
		to := link.Target{
			Addr: t.addr, Username: t.username, Password: t.password, VHost: t.vhost, SASL: t.sasl,
			Heartbeat: t.heartbeat, DialTimeout: t.dialTimeout, Note: r.note(),
		}
		if t.secure {
			to.TLS = func() (*tls.Config, error) { return r.tlsConfig(t) }
		}
		s.Targets = append(s.Targets, to)
	}
	return s
}

// where turns URL, URLs or Host into targets.
func (r *resolved) where() error {
	given := 0
	for _, set := range []bool{r.URL != "", len(r.URLs) > 0, r.Host != ""} {
		if set {
			given++
		}
	}
	switch {
	case given > 1:
		return wrong("URL, URLs and Host", "are not to be given together, only one of them")
	case r.Port < 0 || r.Port > 65535:
		return wrong("Port", "is %d, want 1 to 65535", r.Port)
	case r.Port != 0 && r.Host == "":
		return wrong("Port", "is %d, but Host is empty; a URL carries its own port", r.Port)
	case r.Host != "":
		return r.whereHost()
	case len(r.URLs) == 0:
		return r.whereURL("URL", cmp.Or(r.URL, defaultURL))
	}
	for i, u := range r.URLs {
		if err := r.whereURL(fmt.Sprintf("URLs[%d]", i), u); err != nil {
			return err
		}
	}
	return nil
}

const (
	defaultURL   = "amqp://guest:guest@localhost:5672/"
	shownDefault = "amqp://localhost:5672/"
)

// note is what errors say of the default URL, "" for another.
func (r *resolved) note() string {
	switch {
	case r.URL != "" || len(r.URLs) > 0 || r.Host != "":
		return ""
	case r.unset != "":
		return r.unset + " is not set, so " + shownDefault
	}
	return "no URL was given, so " + shownDefault
}

func (r *resolved) whereHost() error {
	if notAHost(r.Host) {
		return wrong("Host", "is not a host name or address; a port goes into Port, a URL into URL")
	}
	secure := r.wantsTLS() != ""
	port := cmp.Or(r.Port, map[bool]int{false: 5672, true: 5671}[secure])
	r.targets = []target{r.override(target{
		secure: secure, host: r.Host, addr: net.JoinHostPort(r.Host, strconv.Itoa(port)),
		username: "guest", password: "guest", vhost: "/",
	})}
	return nil
}

func (r *resolved) whereURL(field, u string) error {
	t, err := fromURL(field, u)
	if err != nil {
		return err
	}
	if ask := r.wantsTLS(); ask != "" && !t.secure {
		// Somebody who set it would not want the password to be sent unencrypted.
		return wrong(field, "begins with amqp://, but %s is set; want amqps://", ask)
	}
	r.targets = append(r.targets, r.override(t))
	return nil
}

// notAHost says whether no broker can be dialled by that name. A name that passes may still not
// exist.
func notAHost(host string) bool {
	if strings.ContainsAny(host, "/@[] ") {
		return true
	}
	_, err := netip.ParseAddr(host)
	return err != nil && strings.Contains(host, ":")
}

// wantsTLS returns the name of a field that asks for TLS, or "".
func (c *Config) wantsTLS() string {
	switch {
	case c.TLS != nil:
		return "TLS"
	case c.CAFile != "":
		return "CAFile"
	case c.CertFile != "":
		return "CertFile"
	}
	return ""
}

// override replaces parts of the URL by the Config's own fields.
func (c *Config) override(t target) target {
	t.username = cmp.Or(c.Username, t.username)
	t.password = cmp.Or(c.Password, t.password)
	t.vhost = cmp.Or(c.VHost, t.vhost)
	t.ca, t.cert, t.key = cmp.Or(c.CAFile, t.ca), cmp.Or(c.CertFile, t.cert), cmp.Or(c.KeyFile, t.key)
	return t
}

func (r *resolved) files() error {
	switch {
	case r.CertFile == "" && r.KeyFile != "":
		return wrong("CertFile", "is empty, but KeyFile is not; they go together")
	case r.CertFile != "" && r.KeyFile == "":
		return wrong("KeyFile", "is empty, but CertFile is not; they go together")
	}
	return nil
}

func (r *resolved) durations() error {
	var errs []error
	for _, f := range []struct {
		name     string
		value    *time.Duration
		min, max time.Duration
		def      time.Duration
	}{
		{"Heartbeat", &r.Heartbeat, time.Second, time.Hour, defaultHeartbeat},
		{"DialTimeout", &r.DialTimeout, time.Millisecond, time.Hour, defaultDialTimeout},
		{"ReplyTimeout", &r.ReplyTimeout, time.Millisecond, time.Hour, defaultReplyTimeout},
		{"MinBackoff", &r.MinBackoff, time.Millisecond, time.Hour, min(defaultMinBackoff, cmp.Or(max(r.MaxBackoff, 0), time.Hour))},
		{"MaxBackoff", &r.MaxBackoff, time.Millisecond, 24 * time.Hour, max(defaultMaxBackoff, r.MinBackoff)},
	} {
		*f.value = cmp.Or(*f.value, f.def)
		if *f.value < f.min || *f.value > f.max {
			errs = append(errs, wrong(f.name, "is %s, want %s to %s", *f.value, f.min, f.max))
		}
	}
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	if r.Heartbeat%time.Second != 0 {
		return wrong("Heartbeat", "is %s, want whole seconds", r.Heartbeat)
	}
	if r.MinBackoff > r.MaxBackoff {
		return wrong("MinBackoff", "is %s, above MaxBackoff %s", r.MinBackoff, r.MaxBackoff)
	}
	return nil
}
