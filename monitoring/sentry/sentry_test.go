package sentry_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"slices"
	"testing"
	"time"

	sdk "github.com/getsentry/sentry-go"
	"go.uber.org/goleak"

	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/monitoring/monitoringtest"
	"github.com/bunnicula-go/bunnicula/monitoring/sentry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestMonitorPassesConformance(t *testing.T) {
	s := newServer(t)
	monitoringtest.Conformance(t, func(t *testing.T) monitoring.Monitor {
		return newMonitor(t, sentry.Config{DSN: s.dsn(), SendPayload: 100})
	})
}

func TestMonitorPassesConformanceWithoutADSN(t *testing.T) {
	monitoringtest.Conformance(t, func(t *testing.T) monitoring.Monitor { return newMonitor(t, sentry.Config{}) })
	monitoringtest.Conformance(t, func(*testing.T) monitoring.Monitor { return new(sentry.Monitor) })
}

func TestMonitorPassesConformanceWithADeadServer(t *testing.T) {
	closed, hanging := newServer(t), newHangingServer(t)
	closed.Close()
	for name, s := range map[string]*server{"closed": closed, "hanging": hanging} {
		t.Run(name, func(t *testing.T) {
			monitoringtest.Conformance(t, func(t *testing.T) monitoring.Monitor {
				m, err := sentry.New(sentry.Config{DSN: s.dsn()})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = m.Close(ended()) })
				return m
			})
		})
	}
}

func TestOnlyExceptionsAndParkedMessagesAreReported(t *testing.T) {
	s := newServer(t)
	m := newMonitor(t, sentry.Config{DSN: s.dsn()})
	var want []string
	for _, c := range []struct {
		action   monitoring.Action
		reason   monitoring.Reason
		reported bool
	}{
		{monitoring.Acked, monitoring.ReasonNone, false},
		{monitoring.Snoozed, monitoring.ReasonNone, false},
		{monitoring.Interrupted, monitoring.ReasonNone, false},
		{monitoring.Retried, monitoring.ReasonRetry, false},
		{monitoring.Retried, monitoring.ReasonTimeout, false},
		{monitoring.Retried, monitoring.ReasonPanic, true},
		{monitoring.Parked, monitoring.ReasonPanic, true},
		{monitoring.Parked, monitoring.ReasonUndecodable, true},
		{monitoring.Parked, monitoring.ReasonCrashed, true},
		{monitoring.Parked, monitoring.ReasonTimeout, true},
		{monitoring.Parked, monitoring.ReasonError, true},
		{monitoring.Parked, monitoring.ReasonRetriesExhausted, true},
	} {
		m.End(t.Context(), monitoring.Delivery{}, monitoring.Outcome{Action: c.action, Reason: c.reason, Err: errors.New("mail server is down")})
		if c.reported {
			want = append(want, c.action.String()+" "+string(c.reason))
		}
	}
	closed(t, m)
	var got []string
	for _, e := range s.rest() {
		got = append(got, e.Tags["action"]+" "+e.Tags["reason"])
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("reported %q\nwant     %q", got, want)
	}
}

func TestReportsDecidesWhatIsReported(t *testing.T) {
	s := newServer(t)
	m := newMonitor(t, sentry.Config{DSN: s.dsn(), Reports: func(d monitoring.Delivery, o monitoring.Outcome) bool {
		return d.Consumer == "payments" && o.Failed()
	}})
	for _, consumer := range []string{"orders", "payments"} {
		d := monitoring.Delivery{Consumer: consumer}
		m.End(t.Context(), d, monitoring.Outcome{Action: monitoring.Retried, Reason: monitoring.ReasonRetry})
		m.End(t.Context(), d, monitoring.Outcome{Action: monitoring.Acked})
	}
	closed(t, m)
	if got := s.rest(); len(got) != 1 || got[0].Tags["consumer"] != "payments" || got[0].Tags["action"] != "retried" {
		t.Errorf("reported %v; want the one retry of payments", got)
	}
}

func TestBeforeSendMayChangeAndDropEvents(t *testing.T) {
	s := newServer(t)
	m := newMonitor(t, sentry.Config{DSN: s.dsn(), ServerName: "web-1", BeforeSend: func(e *sdk.Event) *sdk.Event {
		if e.Tags["consumer"] == "noise" {
			return nil
		}
		e.Tags["team"] = e.ServerName
		return e
	}})
	m.End(t.Context(), monitoring.Delivery{Consumer: "noise"}, parked(nil))
	m.End(t.Context(), monitoring.Delivery{Consumer: "orders"}, parked(nil))
	closed(t, m)
	if got := s.rest(); len(got) != 1 || got[0].Tags["team"] != "web-1" || got[0].ServerName != "web-1" {
		t.Errorf("reported %v; want the changed event of orders, from web-1", got)
	}
}

func TestTheReleaseIsTakenFromTheEnvironmentIfItIsNotGiven(t *testing.T) {
	s := newServer(t)
	for _, c := range []struct{ given, environment, want string }{
		{"v1", "v2", "v1"},
		{"", "v2", "v2"},
		{"", "", ""}, // the binary of a test has no revision
	} {
		t.Setenv("SENTRY_RELEASE", c.environment)
		m := newMonitor(t, sentry.Config{DSN: s.dsn(), Release: c.given})
		m.End(t.Context(), monitoring.Delivery{}, parked(nil))
		if got := s.next(t).events[0].Release; got != c.want {
			t.Errorf("given %q, in the environment %q: release is %q; want %q", c.given, c.environment, got, c.want)
		}
	}
}

func TestEventsAreSampled(t *testing.T) {
	s := newServer(t)
	m := newMonitor(t, sentry.Config{DSN: s.dsn(), SampleRate: 1e-12})
	for range 100 {
		m.End(t.Context(), monitoring.Delivery{}, parked(nil))
	}
	closed(t, m)
	if n := len(s.rest()); n != 0 {
		t.Errorf("%d events were sent; want none", n)
	}
}

func newMonitor(t *testing.T, cfg sentry.Config) *sentry.Monitor {
	t.Helper()
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	m, err := sentry.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closed(t, m) })
	return m
}

func closed(t *testing.T, m *sentry.Monitor) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := m.Close(ctx); err != nil {
		t.Error(err)
	}
}

func ended() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

func parked(err error) monitoring.Outcome {
	return monitoring.Outcome{Action: monitoring.Parked, Reason: monitoring.ReasonError, Err: err, Group: "g"}
}
