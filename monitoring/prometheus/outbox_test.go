package prometheus_test

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	prom "github.com/prometheus/client_golang/prometheus"
	"go.uber.org/fx"
	"go.uber.org/fx/fxtest"

	"github.com/bunnicula-go/bunnicula/brokertest"
	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/monitoring/prometheus"
	"github.com/bunnicula-go/bunnicula/outbox"
	"github.com/bunnicula-go/bunnicula/outbox/outboxtest"
	"github.com/bunnicula-go/bunnicula/publisher"
)

// service is an app with an outbox in SQLite, a relay that gives up what is refused once, and a
// consumer that parks the orders of nobody.
type service struct {
	t        *testing.T
	db       *sql.DB
	box      *outbox.Box
	registry *prom.Registry
}

// served runs a test with a service, in simulated time.
func served(t *testing.T, test func(s service)) {
	t.Helper()
	brokertest.Run(t, func(t *testing.T, b *brokertest.Broker) {
		s := service{t: t, registry: prom.NewRegistry()}
		s.db, s.box = outboxtest.New(t)
		app := fxtest.New(t, fx.NopLogger, b.Option(),
			connection.Module, publisher.Module, consumer.Module, prometheus.Module, outbox.Module,
			fx.Supply(connection.Config{}, s.box, outbox.RelayConfig{MaxAttempts: 1}, slog.New(slog.DiscardHandler),
				prometheus.Config{Registerer: s.registry}),
			consumer.Provide(func() consumer.Spec {
				return consumer.Spec{Queue: "orders", Handler: consumer.JSON(func(_ context.Context, m consumer.Message[string]) consumer.Result {
					if m.Payload == "nobody" {
						return consumer.Error(errors.New("it has no customer"))
					}
					return consumer.Ack()
				})}
			}),
		)
		app.RequireStart()
		defer app.RequireStop()
		test(s)
	})
}

func (s service) put(queue string, payload any, opts ...publisher.Option) {
	s.t.Helper()
	s.within(func(tx *sql.Tx) error { return s.box.Put(s.t.Context(), tx, queue, payload, opts...) })
}

func (s service) exec(statement string) {
	s.t.Helper()
	s.within(func(tx *sql.Tx) error {
		_, err := tx.ExecContext(s.t.Context(), statement)
		return err
	})
}

func (s service) within(f func(tx *sql.Tx) error) {
	s.t.Helper()
	tx, err := s.db.BeginTx(s.t.Context(), nil)
	if err == nil {
		err = f(tx)
	}
	if err == nil {
		err = tx.Commit()
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

// scrape returns the metrics of the outbox. A row's state is a part of the name, as in
// bunnicula_outbox_rows{state="failed"}.
func (s service) scrape() map[string]float64 {
	s.t.Helper()
	families, err := s.registry.Gather()
	if err != nil {
		s.t.Fatal(err)
	}
	all := map[string]float64{}
	for _, f := range families {
		if !strings.HasPrefix(f.GetName(), "bunnicula_outbox_") {
			continue
		}
		for _, m := range f.GetMetric() {
			name := f.GetName()
			for _, l := range m.GetLabel() {
				name += "{" + l.GetName() + "=" + strconv.Quote(l.GetValue()) + "}"
			}
			all[name] = m.GetGauge().GetValue() + m.GetCounter().GetValue()
		}
	}
	return all
}

// condition is the form of all alerts about an outbox. The job is that of Prometheus: what scrapes
// processes of one service.
var condition = regexp.MustCompile(`^(?:max|sum) by \(job\) \((increase\()?(bunnicula_outbox_\w+(?:\{\w+="\w+"\})?)(?:\[(\w+)\]\))?\) > (\d+)$`)

// ringing returns the alerts whose condition holds at the end of five minutes.
func (s service) ringing() (names []string) {
	s.t.Helper()
	const window = 5 * time.Minute
	before := s.scrape()
	time.Sleep(window)
	now := s.scrape()
	_, alerts := expressions(s.t)
	for _, name := range slices.Sorted(maps.Keys(alerts)) {
		if !strings.Contains(alerts[name], "outbox") {
			continue
		}
		parts := condition.FindStringSubmatch(alerts[name])
		if parts == nil {
			s.t.Fatalf("alert %s: the test does not know the form of %s", name, alerts[name])
		}
		value, there := now[parts[2]]
		if parts[1] != "" {
			value -= before[parts[2]]
			if within, err := time.ParseDuration(parts[3]); err != nil || within != window {
				s.t.Errorf("alert %s: the increase is that of %s, and the test's of %s", name, parts[3], window)
			}
		}
		if limit, err := strconv.ParseFloat(parts[4], 64); err != nil {
			s.t.Fatal(err)
		} else if there && value > limit {
			names = append(names, strings.TrimPrefix(name, "BunniculaOutbox"))
		}
	}
	return names
}

// Each alert rings for its own trouble, and for no other.
func TestTheAlertsOfAnOutboxRingWhenItIsInTrouble(t *testing.T) {
	served(t, func(s service) {
		for _, step := range []struct {
			what string
			do   func()
			want []string
		}{
			{"all is well", func() {
				s.put("orders", "ann")
				s.put("orders", "ann", publisher.Delay(time.Hour))
			}, nil},
			{"a row was refused", func() { s.put("nowhere", 1, outbox.ID("refused"), outbox.Key("k")) }, []string{"RowsFailed"}},
			{"one behind it waits", func() { s.put("orders", "ann", outbox.Key("k")) }, []string{"IsLate", "RowsFailed"}},
			{"it is cancelled", func() {
				s.within(func(tx *sql.Tx) error { return s.box.Cancel(s.t.Context(), tx, "refused") })
			}, nil},
			{"a message of a job was parked", func() { s.put("orders", "nobody", outbox.Job("import")) }, []string{"RowsParked"}},
			{"the table is away", func() { s.exec(`ALTER TABLE bunnicula_outbox RENAME TO away`) }, []string{"RelayFails"}},
			{"it is back", func() { s.exec(`ALTER TABLE away RENAME TO bunnicula_outbox`) }, []string{"RowsParked"}},
		} {
			step.do()
			if got := s.ringing(); !slices.Equal(got, step.want) {
				s.t.Errorf("%s: %v ring, want %v; the metrics are %v", step.what, got, step.want, s.scrape())
			}
		}
	})
}
