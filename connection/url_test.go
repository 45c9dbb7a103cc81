package connection_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
)

// firstError is that of the first attempt to connect. The port 5672 of this machine may have a
// broker, or none.
func firstError(t *testing.T, cfg connection.Config) (log *output, err error) {
	t.Helper()
	log = new(output)
	cfg.DialTimeout = time.Millisecond // too short for a handshake
	cfg.MinBackoff, cfg.MaxBackoff = time.Millisecond, time.Millisecond
	conn, err := connection.New(cfg, slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Stop(context.Background()) }()
	err = conn.Ready(within(t, 500*time.Millisecond))
	return log, err
}

func TestAConnectionWithoutAURLSaysWhichItUses(t *testing.T) {
	log, err := firstError(t, connection.Config{})
	if err == nil || !strings.Contains(err.Error(), "(no URL was given, so amqp://localhost:5672/)") {
		t.Errorf("got %v", err)
	}
	if !strings.Contains(log.String(), "no URL was given, so amqp://localhost:5672/") || strings.Contains(log.String(), "no URL is set") {
		t.Error(log)
	}
	if _, err := firstError(t, connection.Config{URL: "amqp://" + amqptest.Nobody(t)}); strings.Contains(err.Error(), "no URL") {
		t.Errorf("got %v", err)
	}
}

func TestAConnectionSaysThatAMQP_URLIsNotSet(t *testing.T) {
	setenv(t, nil)
	cfg, err := connection.ConfigFromEnv()
	if err != nil {
		t.Fatal(err)
	}
	log, err := firstError(t, cfg)
	if err == nil || !strings.Contains(err.Error(), "(AMQP_URL is not set, so amqp://localhost:5672/)") {
		t.Errorf("got %v", err)
	}
	if n := strings.Count(log.String(), `msg="no URL is set"`); n != 1 || !strings.Contains(log.String(), "variable=AMQP_URL url=amqp://localhost:5672/") {
		t.Errorf("%d times: %s", n, log)
	}

	cfg.Host = "127.0.0.1" // the program knows better
	if log, _ := firstError(t, cfg); strings.Contains(log.String(), "no URL is set") {
		t.Error(log)
	}
}
