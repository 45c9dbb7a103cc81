package health

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/applog"
)

// Config says how long parts may be bad, and where probes are answered.
type Config struct {
	// Addr is where Start listens, as host:port or :port.
	//
	// Defaults to "": Start does not listen. Mount the Health, an http.Handler, on a server of your
	// own.
	Addr string

	// Grace is how long the app may take to be ready for the first time. Until then its status is
	// Starting, /readyz answers 503, and neither OnDown nor OnUp is called.
	//
	// Defaults to 1 minute.
	Grace time.Duration

	// ErrorAge is how long something may be bad before the app is down. Until then its status is
	// Degraded, and /readyz answers 200.
	//
	// Defaults to 30 s. NoErrorAge means that the app is down at once.
	ErrorAge time.Duration

	// Recovery is how long everything must be good before an app that was down is up again.
	//
	// Defaults to 5 s. NoRecovery means that the app is up at once.
	Recovery time.Duration

	// WedgedAge is how long a consumer may be wedged before /livez fails.
	//
	// Defaults to 5 minutes. NeverRestart means that /livez never fails.
	WedgedAge time.Duration

	// Interval is how often Health looks by itself. OnDown and OnUp are called at most this late.
	//
	// Defaults to 1 s.
	Interval time.Duration

	// OnDown is called when the app goes down, with what is bad. Health does not look again before
	// it returns.
	//
	// Defaults to nothing.
	OnDown func(Report)

	// OnUp is called when an app that was down is up again, like OnDown.
	//
	// Defaults to nothing.
	OnUp func(Report)

	// Logger takes the panics of OnDown and OnUp.
	//
	// Defaults to the fx app's *slog.Logger, or slog.Default.
	Logger *slog.Logger
}

// Special values of Config.
const (
	NoErrorAge   = time.Duration(-1) // for ErrorAge: down at once
	NoRecovery   = time.Duration(-1) // for Recovery: up at once
	NeverRestart = time.Duration(-1) // for WedgedAge: /livez never fails
)

// Defaults of Config.
const (
	DefaultGrace     = time.Minute
	DefaultErrorAge  = 30 * time.Second
	DefaultRecovery  = 5 * time.Second
	DefaultWedgedAge = 5 * time.Minute
	DefaultInterval  = time.Second
)

func (c Config) withDefaults() (Config, error) {
	c.Logger = applog.First(c.Logger)
	var errs []error
	for _, f := range []struct {
		name    string
		value   *time.Duration
		usual   time.Duration
		special time.Duration // the one negative value that is allowed; 0 is none
	}{
		{"Grace", &c.Grace, DefaultGrace, 0},
		{"ErrorAge", &c.ErrorAge, DefaultErrorAge, NoErrorAge},
		{"Recovery", &c.Recovery, DefaultRecovery, NoRecovery},
		{"WedgedAge", &c.WedgedAge, DefaultWedgedAge, NeverRestart},
		{"Interval", &c.Interval, DefaultInterval, 0},
	} {
		*f.value = cmp.Or(*f.value, f.usual)
		if *f.value < 0 && (f.special == 0 || *f.value != f.special) {
			errs = append(errs, fmt.Errorf("health: Config.%s is %s, want more than 0", f.name, *f.value))
		}
	}
	return c, errors.Join(errs...)
}
