package drill

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
)

// Exit codes.
const (
	ExitOK      = 0
	ExitFailed  = 1
	ExitUsage   = 2
	ExitStopped = 130 // what a shell reports after ^C
)

// ErrStopped means that the run ended with ^C.
var ErrStopped = errors.New("stopped")

// UsageError means that the flags are wrong.
type UsageError struct{ Err error }

func (e UsageError) Error() string { return e.Err.Error() + " (-h shows all flags)" }

// Unwrap returns Err.
func (e UsageError) Unwrap() error { return e.Err }

// Exit prints an error as this program's, and returns the exit code for it. It takes flag.ErrHelp,
// whose text is printed already, for no error.
func Exit(stderr io.Writer, program string, err error) int {
	if err == nil || errors.Is(err, flag.ErrHelp) {
		return ExitOK
	}
	_, _ = fmt.Fprintf(stderr, "%s: %v\n", program, err)
	switch wrong := (UsageError{}); {
	case errors.As(err, &wrong):
		return ExitUsage
	case errors.Is(err, ErrStopped):
		return ExitStopped
	}
	return ExitFailed
}

// StoppedOr is ErrStopped if ctx has ended, and err otherwise.
func StoppedOr(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("%w; -fresh begins anew", ErrStopped)
	}
	return err
}

// NewLogger logs warnings if it is verbose, and else nothing. That a killed process was seen is no
// news to a run.
func NewLogger(w io.Writer, verbose bool) *slog.Logger {
	level := slog.LevelError + 1
	if verbose {
		level = slog.LevelWarn
	}
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: level}))
}
