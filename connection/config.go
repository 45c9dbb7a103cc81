package connection

import (
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"
)

// Config says where the broker is and how to stay connected to it. The zero Config is a broker on
// this machine, with the user and password guest.
type Config struct {
	// URL is the broker, as amqp://user:password@host:5672/vhost, or amqps:// for TLS. Special
	// characters are percent-encoded. The vhost "/" is written %2F, or left out. The query
	// parameters of RabbitMQ's URI specification are understood
	// (https://www.rabbitmq.com/docs/uri-query-parameters).
	//
	// Defaults to amqp://guest:guest@localhost:5672/. Only one of URL, URLs and Host may be set.
	URL string

	// URLs are the nodes of one cluster. They are tried in turn, from the first, at start and after
	// each loss.
	URLs []string

	// Host and Port name the broker when there is no URL.
	//
	// Port defaults to 5672, or 5671 with TLS.
	Host string
	Port int

	// Username, Password and VHost replace those in the URL when they are not empty. They are taken
	// as they are, not percent-encoded: the vhost /main is "/main". A VHost like "%2Fmain" is
	// refused.
	//
	// Newlines at the end of Password, Username and URL, as a file of a secret has one, are not
	// part of them.
	Username string
	Password string
	VHost    string

	// Credentials gives user and password, in the place of those of this Config, for secrets that
	// change while the program runs: passwords that are rotated, leases, OAuth 2 tokens. Username,
	// Password and a user in the URL are errors beside it.
	//
	// It is asked at each connect of each TCP connection, when the broker can be reached, and for
	// the management API if its URL has no user. It is asked again before Credentials.Expires, when
	// a fifth of the time is left, or 5 minutes. Then the broker gets the new secret on the open
	// connection (connection.update-secret): no session ends. If the name of the user has changed,
	// another session is opened, and consumers and publishers go over to it as soon as nothing is
	// in hand. The old one is closed then, after 30 s, or at Expires: what its handlers have in
	// hand then comes again, and nothing is lost.
	//
	// Its context ends after DialTimeout. It is called by one goroutine at a time. An error, or a
	// panic, is logged and in Health, and it is asked again, with growing pauses up to MaxBackoff,
	// more often shortly before Expires. A session whose secret has expired is ended.
	//
	// Defaults to nil: Username and Password never change.
	Credentials func(context.Context) (Credentials, error) `json:"-"`

	// Name is shown by the broker's tools for each TCP connection, followed by its purpose, as in
	// "shop (consume)". It is also the application's name in the headers of parked messages.
	//
	// Defaults to the program's file name.
	Name string

	// Version is the application's version. The headers of parked messages have it, so that they
	// tell with which deploy they failed, and so have the broker's tools: each TCP connection has
	// the client properties app, which is Name, and app_version. At most 255 bytes.
	//
	// Defaults to the version of the program's main module, which the go command derives from the
	// commit that it builds (https://pkg.go.dev/runtime/debug#Module). If that is not known, there
	// is none.
	Version string

	// TLS is used for amqps URLs, and for Host when it is not nil. With an amqp URL it is an error.
	// It is cloned. The broker's certificate is verified unless this configuration says otherwise.
	//
	// Defaults to the system's authorities, the URL's host as ServerName, and TLS 1.2 or newer.
	TLS *tls.Config

	// CAFile, CertFile and KeyFile are PEM files: the authority that signed the broker's
	// certificate, and this client's certificate and key. They are read again at each connect, so
	// that a renewed certificate is used. Setting one of them turns on TLS for Host.
	CAFile   string
	CertFile string
	KeyFile  string

	// Management is the broker's management API, as http://user:password@host:15672. With it
	// consumers see what policies make of their queues, and say so in their log and Health, and an
	// errorqueue.Queue knows its delivery limit. AMQP does not tell these. The user needs the tag
	// management, and any permission on the virtual host. For https it takes TLS or CAFile.
	//
	// Defaults to none: then policies are not looked at.
	Management string

	// Lazy lets starts succeed without a broker, as a web process wants that answers most requests
	// without one. A publisher's Start and a consumer's return at once, and connect as soon as
	// there is a broker; a Publish waits for that as long as its context or
	// publisher.Config.Timeout allows. Until then the connection is not OK in Health, and the app
	// not ready for package health. A refused password, or a queue with other arguments, is not an
	// error of the start either: it is in Health, logged at level ERROR, and tried again. A start
	// hook that publishes may find the queue of a consumer not yet declared.
	//
	// Defaults to false: a start waits for the broker until its context ends, and fails if the
	// broker refuses.
	Lazy bool

	// Heartbeat is the interval at which both peers send heartbeats. A connection whose peer is
	// silent for one and a half intervals is closed. Whole seconds, from 1 s to 1 h; the broker may
	// ask for less.
	//
	// Defaults to 10 s.
	Heartbeat time.Duration

	// DialTimeout bounds one attempt to connect: TCP, TLS and the AMQP handshake.
	//
	// Defaults to 15 s.
	DialTimeout time.Duration

	// ReplyTimeout bounds the wait for the broker's answer to a request such as declaring a queue.
	// A session whose broker does not answer is ended.
	//
	// Defaults to 30 s.
	ReplyTimeout time.Duration

	// MinBackoff and MaxBackoff bound the pause before a lost connection is tried again. The bound
	// of the pause doubles from the first to the second, and each pause is a random part of it. A
	// broker that refuses TCP connections, or that has just been lost, is tried again within 3 s.
	// After a refusal that looks permanent, such as a wrong password, the pause is MaxBackoff at
	// once.
	//
	// Default to 100 ms and 30 s.
	MinBackoff time.Duration
	MaxBackoff time.Duration

	// unset names the variable of the environment that could have given a URL and did not.
	unset string
}

// The defaults.
const (
	defaultHeartbeat    = 10 * time.Second
	defaultDialTimeout  = 15 * time.Second
	defaultReplyTimeout = 30 * time.Second
	defaultMinBackoff   = 100 * time.Millisecond
	defaultMaxBackoff   = 30 * time.Second
)

// String shows the Config with every password and query parameter hidden.
func (c Config) String() string {
	where := "invalid"
	if r, err := c.resolve(); err == nil {
		shown := make([]string, len(r.targets))
		for i, t := range r.targets {
			shown[i] = t.String()
		}
		where = strings.Join(shown, ",")
	}
	return fmt.Sprintf("connection.Config{%s name=%q heartbeat=%s}", where, c.Name, cmp.Or(c.Heartbeat, defaultHeartbeat))
}

// Format writes String for every verb, so that %#v and %d hide passwords too.
func (c Config) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, c.String()) }

// LogValue is String, so that slog hides passwords too.
func (c Config) LogValue() slog.Value { return slog.StringValue(c.String()) }

// MarshalText is String, so that JSON and XML hide passwords too, also in a struct that holds a
// Config. A Config can be read from JSON, but one that was written cannot be read back.
func (c Config) MarshalText() ([]byte, error) { return []byte(c.String()), nil }
