package pipeline

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/applog"
)

// Config says how a Pipeline works. Name must be set. All processes of a pipeline have the same
// Name.
type Config struct {
	// Name names the pipeline. The stream of its reports is Name + "-progress".
	//
	// 1 to 200 letters, digits, dots, underscores and hyphens.
	Name string

	// Window is how many outputs of one run of a handler may be unconfirmed at once. An emit beyond
	// that waits. The Window of the Publisher bounds those of all handlers together.
	//
	// Defaults to 128. At most 100,000.
	Window int

	// MaxAgain is how many continuations a message may have in a row. One more is ErrTooManyAgain.
	//
	// Defaults to 10,000. At most 1,000,000.
	MaxAgain int

	// MaxDepth is how deep a job may be: an item of the start has depth 1, an output of it depth 2.
	// A continuation is as deep as its message. A deeper output is ErrTooDeep.
	//
	// Defaults to 32, which is also the most.
	MaxDepth int

	// MaxAge is how long the broker keeps reports, if this process declares the stream: whole
	// seconds, from 1 s on. A job that takes longer has no progress, and is never complete.
	//
	// Defaults to 30 days.
	MaxAge time.Duration

	// Completed is called when a job is complete, by a Notifier, which Module starts if Completed
	// is set. It may be called twice for a job: when the process dies after the call, and when
	// several processes set it. An error has it called again, after a while. Until it returns no
	// other job is told. See Notifier.
	//
	// Defaults to none.
	Completed func(ctx context.Context, p Progress) error

	// Logger writes what goes wrong with the stream.
	//
	// Defaults to slog.Default, and in an fx app to the app's *slog.Logger.
	Logger *slog.Logger
}

// Defaults and bounds of Config.
const (
	DefaultWindow   = 128
	DefaultMaxAgain = 10_000
	DefaultMaxDepth = 32
	DefaultMaxAge   = 30 * 24 * time.Hour

	maxWindow = 100_000
	maxAgain  = 1_000_000
	maxMaxAge = 10 * 365 * 24 * time.Hour
	maxName   = 200
)

// resolve checks the fields and sets the defaults. The error has a line for each field that is
// wrong.
func (c Config) resolve() (Config, error) {
	c.Window, c.MaxAgain, c.MaxDepth = cmp.Or(c.Window, DefaultWindow), cmp.Or(c.MaxAgain, DefaultMaxAgain), cmp.Or(c.MaxDepth, DefaultMaxDepth)
	c.MaxAge = cmp.Or(c.MaxAge, DefaultMaxAge)
	c.Logger = applog.First(c.Logger)
	var errs []error
	if err := checkName("Config.Name", c.Name, maxName); err != nil {
		errs = append(errs, fmt.Errorf("pipeline: %w", err))
	}
	for _, f := range []struct {
		name                 string
		value, most, instead int
	}{{"Window", c.Window, maxWindow, DefaultWindow}, {"MaxAgain", c.MaxAgain, maxAgain, DefaultMaxAgain}, {"MaxDepth", c.MaxDepth, DefaultMaxDepth, DefaultMaxDepth}} {
		if f.value < 1 || f.value > f.most {
			errs = append(errs, fmt.Errorf("pipeline: Config.%s is %d, want 1 to %d, or 0 for %d", f.name, f.value, f.most, f.instead))
		}
	}
	if c.MaxAge < time.Second || c.MaxAge > maxMaxAge || c.MaxAge%time.Second != 0 {
		errs = append(errs, fmt.Errorf("pipeline: Config.MaxAge is %s, want whole seconds, 1s to %s, or 0 for %s", c.MaxAge, maxMaxAge, DefaultMaxAge))
	}
	return c, errors.Join(errs...)
}
