// Package applog chooses the logger of everything here that logs. Whoever has a logger of its own
// keeps it; else the consumer's counts, as far as one is concerned, and at last slog.Default. A test
// sees to it that no other package asks for slog.Default.
package applog

import (
	"context"
	"log/slog"
)

// First returns the first logger that is not nil, and slog.Default without one.
func First(loggers ...*slog.Logger) *slog.Logger {
	for _, l := range loggers {
		if l != nil {
			return l
		}
	}
	return slog.Default()
}

type key struct{}

// With returns a context that carries the logger. A consumer's handlers and monitors are called
// with such a context. So the logger reaches each monitor, however other monitors wrap it.
func With(ctx context.Context, logger *slog.Logger) context.Context {
	return context.WithValue(ctx, key{}, logger)
}

// Of returns the logger that the context carries, or nil.
func Of(ctx context.Context) *slog.Logger {
	logger, _ := ctx.Value(key{}).(*slog.Logger)
	return logger
}
