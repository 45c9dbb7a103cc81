package monitors_test

import (
	"reflect"
	"testing"

	"go.uber.org/fx"

	"github.com/bunnicula-go/bunnicula/internal/monitors"
	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/monitoring/monitoringtest"
)

func TestAnAppWithoutMonitorsLogs(t *testing.T) {
	if got, want := gathered(t), monitoring.Multi(monitoring.Log{}); got != want {
		t.Errorf("its monitor is %#v, want %#v", got, want)
	}
}

func TestAnAppThatProvidesNopIsSilent(t *testing.T) {
	got := gathered(t, monitoring.Provide(func() monitoring.Nop { return monitoring.Nop{} }))
	if got != (monitoring.Nop{}) {
		t.Errorf("its monitor is %#v, want Nop, which the consumer does not even call", got)
	}
}

func TestAProvidedMonitorReplacesTheLogAndIsShielded(t *testing.T) {
	var recorder monitoringtest.Recorder
	got := gathered(t, monitoring.Provide(func() monitoring.Monitor { return &recorder }))
	if got != monitoring.Multi(&recorder) || got == monitoring.Monitor(&recorder) {
		t.Errorf("its monitor is %#v, want the recorder behind a shield", got)
	}
}

func TestAMonitorBesideOthersLeavesTheLogWhereItIs(t *testing.T) {
	var events, own monitoringtest.Recorder
	beside := monitors.Beside(func() *monitoringtest.Recorder { return &events })
	if got, want := gathered(t, beside), monitoring.Multi(monitoring.Log{}, &events); !reflect.DeepEqual(got, want) {
		t.Errorf("the monitor of an app without others is %#v, want %#v", got, want)
	}
	got := gathered(t, beside, monitoring.Provide(func() monitoring.Monitor { return &own }))
	if want := monitoring.Multi(&own, &events); !reflect.DeepEqual(got, want) {
		t.Errorf("the monitor of an app with another is %#v, want %#v", got, want)
	}
	got = gathered(t, beside, monitoring.Provide(func() monitoring.Nop { return monitoring.Nop{} }))
	if want := monitoring.Multi(&events); got != want {
		t.Errorf("the monitor of an app that wants no log is %#v, want %#v", got, want)
	}
}

// gathered returns the monitor of an app.
func gathered(t *testing.T, options ...fx.Option) (m monitoring.Monitor) {
	t.Helper()
	err := fx.New(fx.NopLogger, fx.Options(options...), fx.Invoke(func(g monitors.Group) { m = g.Monitor() })).Err()
	if err != nil {
		t.Fatal(err)
	}
	return m
}
