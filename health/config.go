package health

import (
	"cmp"
	"fmt"
	"time"
)

// Config says how patient to be, and where to answer.
type Config struct {
	// Addr is where [Module] listens, as host:port or :port.
	//
	// Defaults to "": it does not; mount the Health, which is an http.Handler, where you like.
	Addr string

	// Grace is how long after the start the app may take to be ready for the first time. Until then it is starting, which
	// /readyz answers with 503, and nobody is called back.
	//
	// Defaults to 1 minute.
	Grace time.Duration

	// ErrorAge is how long something may be bad before the app is down. Until then it is degraded, which /readyz answers
	// with 200.
	//
	// Defaults to 30 s. NoErrorAge means not at all.
	ErrorAge time.Duration

	// Recovery is how long all must be good before an app that was down is up again.
	//
	// Defaults to 5 s. NoRecovery means not at all.
	Recovery time.Duration

	// WedgedAge is how long a consumer may be wedged before /livez fails.
	//
	// Defaults to 5 minutes. NeverRestart means for ever.
	WedgedAge time.Duration

	// Interval is how often is looked, in between two probes. OnDown and OnUp are at most that late.
	//
	// Defaults to 1 s.
	Interval time.Duration

	// OnDown is called when the app goes down: with what is bad. It is called from one goroutine, which looks no further
	// meanwhile.
	//
	// Defaults to nothing.
	OnDown func(Report)

	// OnUp is called when an app that was down is up again, like OnDown.
	//
	// Defaults to nothing.
	OnUp func(Report)
}

// Special values of Config.
const (
	NoErrorAge   = time.Duration(-1) // of ErrorAge: down at once
	NoRecovery   = time.Duration(-1) // of Recovery: up at once
	NeverRestart = time.Duration(-1) // of WedgedAge: /livez never fails
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
	for _, f := range []struct {
		name    string
		value   *time.Duration
		usual   time.Duration
		special time.Duration // 0 is none
	}{
		{"Grace", &c.Grace, DefaultGrace, 0},
		{"ErrorAge", &c.ErrorAge, DefaultErrorAge, NoErrorAge},
		{"Recovery", &c.Recovery, DefaultRecovery, NoRecovery},
		{"WedgedAge", &c.WedgedAge, DefaultWedgedAge, NeverRestart},
		{"Interval", &c.Interval, DefaultInterval, 0},
	} {
		*f.value = cmp.Or(*f.value, f.usual)
		if *f.value < 0 && (f.special == 0 || *f.value != f.special) {
			return c, fmt.Errorf("health: Config.%s is %s, want more than 0", f.name, *f.value)
		}
	}
	return c, nil
}
