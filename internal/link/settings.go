package link

import (
	"context"
	"crypto/tls"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/management"
)

// Settings say where the broker is and how to stay connected to it. They are complete: every
// duration is set, and there is at least one target.
type Settings struct {
	Name    string // of the app, shown by the broker's tools
	Version string // of the app
	Targets []Target

	// Login asks the application for a login; nil if each Target has its own.
	Login func(context.Context) (Login, error)
	// Lazy lets starts succeed without a broker.
	Lazy bool

	Management *management.Client // nil without a management API

	Heartbeat    time.Duration
	DialTimeout  time.Duration
	ReplyTimeout time.Duration
	MinBackoff   time.Duration
	MaxBackoff   time.Duration
}

// Target is one broker to dial.
type Target struct {
	Addr     string // host:port
	Username string
	Password string
	VHost    string
	SASL     []string // the mechanisms that the URL names

	// Login gives Username and Password for one TCP connection. It is nil if they are set.
	Login func(context.Context) (Login, error)
	// Note is what errors say of this target besides its address; "" is nothing.
	Note string
	// given is a Login that was asked for before; nil if it is to be asked for.
	given func() Login
	// expires is the Login's, once it is there.
	expires time.Time

	// TLS makes the configuration of one TCP connection. It is nil without TLS.
	TLS func() (*tls.Config, error)

	Heartbeat   time.Duration // 0 means the Settings' own
	DialTimeout time.Duration // 0 means the Settings' own
}
