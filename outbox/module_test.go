package outbox_test

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"go.uber.org/fx"
	"go.uber.org/fx/fxtest"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/health"
	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/outbox"
)

func TestTheModuleRunsARelayThatHealthAndMetricsKnow(t *testing.T) {
	simulated(t, func(t *testing.T, s *simulation) {
		s.declare("emails")
		var h *health.Health
		var sources struct {
			fx.In
			Beside  []monitoring.Monitor                                            `group:"bunnicula.monitors.beside"`
			Sources []func(tell func(name string, value float64, labels ...string)) `group:"bunnicula.metrics"`
		}
		app := fxtest.New(t, fx.NopLogger, s.broker.Option(), connection.Module, fx.Supply(connection.Config{}, s.box, health.Config{}, slog.New(slog.DiscardHandler)),
			health.Module, outbox.Module, fx.Populate(&h, &sources))
		app.RequireStart()
		defer app.RequireStop()
		s.put("emails", []string{"a"})
		s.box.Kick()
		time.Sleep(10 * time.Second)
		if got := s.ids("emails"); got != "a" {
			t.Errorf("published: %q", got)
		}
		if err := h.Report().Err(); err != nil {
			t.Error(err)
		}
		published := 0.0
		for _, source := range sources.Sources {
			source(func(name string, value float64, _ ...string) {
				if name == "outbox_published_total" {
					published = value
				}
			})
		}
		if len(sources.Beside) != 1 || sources.Beside[0] != s.box.Monitor() {
			t.Errorf("beside the app's monitors are %v", sources.Beside)
		}
		if published != 1 {
			t.Errorf("the metrics say that %v were published", published)
		}

		s.put("nowhere", []string{"b"}, outbox.Key("k"))
		s.put("emails", []string{"c"}, outbox.Key("k"))
		time.Sleep(outbox.DefaultLate + 10*time.Second)
		if err := h.Report().Err(); err == nil || !strings.Contains(err.Error(), `outbox "relay": a row that is due has waited for`) {
			t.Errorf("c waits behind b, and health says %v", err)
		}
		if _, err := s.db.Exec(`UPDATE bunnicula_outbox SET state = 5`); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		for _, p := range h.Report().Parts {
			if p.Kind == "outbox" && (!p.OK || p.Warning != "2 rows have failed") {
				t.Errorf("of failed rows: %+v", p)
			}
		}
	})
}

func TestHealthIsBadWhileTheDatabaseDoesNotAnswer(t *testing.T) {
	simulated(t, func(t *testing.T, s *simulation) {
		r := s.relay(outbox.RelayConfig{})
		defer stopRelay(t, r)
		time.Sleep(time.Second)
		if warning, err := r.Health(); warning != "" || err != nil {
			t.Errorf("good: %q, %v", warning, err)
		}
		for _, statement := range []string{`ALTER TABLE bunnicula_outbox RENAME TO away`, `ALTER TABLE away RENAME TO bunnicula_outbox`} {
			if _, err := s.db.Exec(statement); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Minute)
			if _, err := r.Health(); (err != nil) != strings.HasSuffix(statement, "away") {
				t.Errorf("after %s: %v", statement, err)
			}
		}
	})
}
