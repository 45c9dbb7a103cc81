package inspect

import (
	"context"
	"flag"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/topology"
)

var update = flag.Bool("update", false, "write the golden files in testdata instead of comparing with them")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// broker is the tests' own, asked as this user, "" for the usual.
func broker(t *testing.T, cfg connection.Config) (*Broker, context.Context) {
	t.Helper()
	cfg.URL, cfg.Name = amqptest.URL(t), "inspect test"
	conn, err := connection.New(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := conn.Stop(context.Background()); err != nil {
			t.Errorf("stop: %v", err)
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return New(conn.Transport().Consuming()), ctx
}

func plan(t *testing.T, p topology.Plan) topology.Topology {
	t.Helper()
	topo, err := topology.New(p)
	if err != nil {
		t.Fatal(err)
	}
	return topo
}

func golden(t *testing.T, name, text string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if text != string(want) {
		t.Errorf("%s, got:\n%s\nwant:\n%s", file, text, want)
	}
}
