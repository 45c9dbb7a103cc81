package sentry

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"runtime/debug"

	sdk "github.com/getsentry/sentry-go"

	"github.com/bunnicula-go/bunnicula/internal/applog"
	"github.com/bunnicula-go/bunnicula/monitoring"
)

// Config says where events go and what they contain. It never prints or logs its DSN.
type Config struct {
	// DSN is the project's address, with its key. The variable SENTRY_DSN is not used.
	//
	// Defaults to none: nothing is reported, and one log line says so.
	DSN string

	// Environment is sent with each event.
	//
	// Defaults to the variable SENTRY_ENVIRONMENT, and without it to Sentry's own, "production".
	Environment string

	// Release is sent with each event.
	//
	// Defaults to the variable SENTRY_RELEASE, and without it to the revision that go build
	// wrote into the program. sentry-go's own default, which runs git, is not used.
	Release string

	// ServerName is sent with each event.
	//
	// Defaults to none. sentry-go's own default, the host's name, is not used.
	ServerName string

	// SampleRate is the fraction of events that is sent, above 0 and at most 1.
	//
	// Defaults to 1, all of them.
	SampleRate float64

	// SendPayload is how many bytes of the payload an event contains, as
	// [monitoring.Delivery.Excerpt] cuts them.
	//
	// Defaults to 0: no event contains any of it.
	SendPayload int

	// Reports decides whether a delivery is reported. It is called for every delivery, so it
	// should be quick.
	//
	// Defaults to exceptions (panic, undecodable, crashed) and all parked messages.
	Reports func(monitoring.Delivery, monitoring.Outcome) bool

	// BeforeSend may change an event before it is sent, for example to remove personal data. It
	// drops the event by returning nil.
	//
	// Defaults to none.
	BeforeSend func(*sdk.Event) *sdk.Event

	// Transport makes the requests. Set it for a proxy or a certificate of your own. It must end
	// a request whose context ends.
	//
	// Defaults to a new http.Transport that obeys HTTPS_PROXY.
	Transport http.RoundTripper

	// Logger takes the few lines that the Monitor logs.
	//
	// Defaults to the fx application's *slog.Logger, or slog.Default.
	Logger *slog.Logger
}

// check fills in the defaults. Its errors name the field and its value, except for the DSN's value.
func (c Config) check() (Config, error) {
	var errs []error
	if c.DSN != "" {
		if err := checkDSN(c.DSN); err != nil {
			errs = append(errs, fmt.Errorf("sentry: Config.DSN: %w", err))
		}
	}
	if c.SampleRate == 0 {
		c.SampleRate = 1
	}
	if !(c.SampleRate > 0 && c.SampleRate <= 1) { // also refuses NaN
		errs = append(errs, fmt.Errorf("sentry: Config.SampleRate %v: must be above 0 and at most 1", c.SampleRate))
	}
	if c.SendPayload < 0 {
		errs = append(errs, fmt.Errorf("sentry: Config.SendPayload %d: must not be negative", c.SendPayload))
	}
	if c.Release == "" {
		c.Release = defaultRelease()
	}
	if c.Reports == nil {
		c.Reports = exceptionsAndParked
	}
	c.Logger = applog.First(c.Logger)
	return c, errors.Join(errs...)
}

func defaultRelease() string {
	if release := os.Getenv("SENTRY_RELEASE"); release != "" {
		return release
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				return s.Value
			}
		}
	}
	return ""
}

// exceptionsAndParked is the default of Config.Reports.
func exceptionsAndParked(_ monitoring.Delivery, o monitoring.Outcome) bool {
	switch o.Reason {
	case monitoring.ReasonPanic, monitoring.ReasonUndecodable, monitoring.ReasonCrashed, monitoring.ReasonRefused:
		return true
	}
	return o.Action == monitoring.Parked
}
