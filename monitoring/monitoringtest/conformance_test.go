package monitoringtest_test

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/monitoring/monitoringtest"
)

// faulty are monitors that Conformance must refuse, and a part of its error.
var faulty = map[string]struct {
	monitor monitoring.Monitor
	says    string
}{
	"panics without headers": {
		callbacks{begin: func(ctx context.Context, d monitoring.Delivery) context.Context {
			d.Headers["seen"] = true
			return ctx
		}},
		"Begin panicked: assignment to entry in nil map",
	},
	"panics without an error": {
		callbacks{end: func(_ monitoring.Delivery, o monitoring.Outcome) { _ = o.Err.Error() }},
		"End panicked: runtime error: invalid memory address",
	},
	"starts from a new context": {
		callbacks{begin: func(context.Context, monitoring.Delivery) context.Context { return context.Background() }},
		"Begin's context has <nil> for the parent's value",
	},
	"ends the context": {
		callbacks{begin: func(ctx context.Context, _ monitoring.Delivery) context.Context {
			ctx, cancel := context.WithCancel(ctx)
			cancel()
			return ctx
		}},
		"Begin's context has ended",
	},
	"changes the body": {
		callbacks{end: func(d monitoring.Delivery, _ monitoring.Outcome) { clear(d.Body) }},
		"the delivery was changed",
	},
}

const faultyVariable = "MONITORINGTEST_FAULTY"

// Conformance fails for a faulty Monitor, so each one runs in its own process.
func TestConformanceRefusesMonitorsThatAreFaulty(t *testing.T) {
	if name := os.Getenv(faultyVariable); name != "" {
		monitoringtest.Conformance(t, func(*testing.T) monitoring.Monitor { return faulty[name].monitor })
		return
	}
	for name, f := range faulty {
		t.Run(name, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestConformanceRefusesMonitorsThatAreFaulty$/^(survives|keeps|leaves)")
			cmd.Env = append(os.Environ(), faultyVariable+"="+name)
			out, err := cmd.CombinedOutput()
			if err == nil {
				t.Fatalf("it passed:\n%s", out)
			}
			if !strings.Contains(string(out), f.says) {
				t.Errorf("want it to say %q:\n%.3000s", f.says, out)
			}
		})
	}
}

type callbacks struct {
	begin func(context.Context, monitoring.Delivery) context.Context
	end   func(monitoring.Delivery, monitoring.Outcome)
}

func (c callbacks) Begin(ctx context.Context, d monitoring.Delivery) context.Context {
	if c.begin == nil {
		return nil
	}
	return c.begin(ctx, d)
}

func (c callbacks) End(_ context.Context, d monitoring.Delivery, o monitoring.Outcome) {
	if c.end != nil {
		c.end(d, o)
	}
}
