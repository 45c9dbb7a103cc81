package sentry_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	sdk "github.com/getsentry/sentry-go"

	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/monitoring/sentry"
)

// The application's own Sentry and ours are separate: the application's tags and breadcrumbs are
// not in our events, and our events do not go to the application's project.
func TestAnAppsOwnSentryIsLeftAlone(t *testing.T) {
	apps, ours := newServer(t), newServer(t)
	if err := sdk.Init(sdk.ClientOptions{Dsn: apps.dsn(), Release: "app"}); err != nil {
		t.Fatal(err)
	}
	hub := sdk.CurrentHub()
	t.Cleanup(func() {
		hub.Client().Close()
		hub.BindClient(nil)
		hub.Scope().Clear()
	})
	sdk.ConfigureScope(func(scope *sdk.Scope) {
		scope.SetTag("private", "private")
		scope.SetUser(sdk.User{Email: "private@example.com"})
	})
	sdk.AddBreadcrumb(&sdk.Breadcrumb{Message: "private"})
	client := hub.Client()

	m := newMonitor(t, sentry.Config{DSN: ours.dsn()})
	m.End(sdk.SetHubOnContext(t.Context(), hub), monitoring.Delivery{}, parked(errors.New("broken")))
	if got := ours.next(t).events[0]; strings.Contains(got.json, "private") {
		t.Errorf("the event has what belongs to the app: %s", got.json)
	}
	if !sdk.Flush(10*time.Second) || len(apps.rest()) != 0 {
		t.Error("the app's project got our event")
	}
	closed(t, m)
	if hub.Client() != client || sdk.CurrentHub() != hub {
		t.Error("the app's client was replaced")
	}
}

func TestWithoutADSNOneLineSaysSo(t *testing.T) {
	t.Setenv("SENTRY_DSN", newServer(t).dsn()) // of another project
	var log bytes.Buffer
	m := newMonitor(t, sentry.Config{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	for range 3 {
		m.End(t.Context(), monitoring.Delivery{}, parked(nil))
	}
	closed(t, m)
	if got := log.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, `level=INFO msg="sentry is off" why="sentry.Config has no DSN"`) {
		t.Errorf("logged %q; want one line", got)
	}
}

func TestCloseSendsWhatWaits(t *testing.T) {
	s := newServer(t)
	m := newMonitor(t, sentry.Config{DSN: s.dsn()})
	for range 20 {
		m.End(t.Context(), monitoring.Delivery{}, parked(nil))
	}
	closed(t, m)
	if n := len(s.rest()); n != 20 {
		t.Errorf("%d events arrived; want 20", n)
	}
	m.End(t.Context(), monitoring.Delivery{}, parked(nil))
	closed(t, m)
	if n := len(s.rest()); n != 0 {
		t.Errorf("%d events arrived after Close; want none", n)
	}
}

func TestCloseGivesAServerThatHangsUpWithItsContext(t *testing.T) {
	s := newHangingServer(t)
	m, err := sentry.New(sentry.Config{DSN: s.dsn()})
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		m.End(t.Context(), monitoring.Delivery{}, parked(nil))
	}
	<-s.requests // the first request is in progress

	cause := errors.New("the app has to stop")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	err = m.Close(ctx)
	if !errors.Is(err, sentry.ErrUnsent) || !errors.Is(err, cause) {
		t.Errorf("Close: %v; want ErrUnsent and the context's cause", err)
	}
	if again := m.Close(t.Context()); again != err {
		t.Errorf("the second Close: %v; want %v", again, err)
	}
}
