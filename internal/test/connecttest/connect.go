// Package connecttest makes connections to the tests' broker.
package connecttest

import (
	"cmp"
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
)

// New makes a Connection that is stopped at the test's cleanup. The Config's URL is that of the
// tests' broker unless it is set, its Name that of the test, and its backoff short.
func New(t testing.TB, cfg connection.Config) *connection.Connection {
	t.Helper()
	if cfg.URL == "" {
		cfg.URL = amqptest.URL(t)
	}
	cfg.Name = cmp.Or(cfg.Name, t.Name())
	cfg.MinBackoff, cfg.MaxBackoff = cmp.Or(cfg.MinBackoff, 20*time.Millisecond), cmp.Or(cfg.MaxBackoff, 200*time.Millisecond)
	return Make(t, cfg)
}

// Make makes a Connection that is stopped at the test's cleanup. The Config is used as it is, with
// a short backoff if it has no MinBackoff.
func Make(t testing.TB, cfg connection.Config) *connection.Connection {
	t.Helper()
	if cfg.MinBackoff == 0 {
		cfg.MinBackoff, cfg.MaxBackoff = 20*time.Millisecond, 200*time.Millisecond
	}
	conn, err := connection.New(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := conn.Stop(ctx); err != nil {
			t.Errorf("stop the connection: %v", err)
		}
	})
	return conn
}
