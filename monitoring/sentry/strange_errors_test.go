package sentry_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/bunnicula-go/bunnicula/internal/foreign"
	"github.com/bunnicula-go/bunnicula/internal/foreign/foreigntest"
	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/monitoring/sentry"
)

func TestAnErrorOfAnyKindIsAnEvent(t *testing.T) {
	s := newServer(t)
	m := newMonitor(t, sentry.Config{DSN: s.dsn()})
	for kind, err := range foreigntest.Errors() {
		for how, err := range map[string]error{
			"as it is": err, "made safe": foreign.Safe(err), "too late": errors.Join(errors.New("late"), foreign.Safe(err)), "traced": traced{err},
		} {
			m.End(t.Context(), monitoring.Delivery{Consumer: "orders", MessageID: "a\x1b\xff"}, parked(err))
			got := s.next(t).events[0]
			last := got.Exception[len(got.Exception)-1]
			if last.Value == "" && kind != "no text" || len(last.Value) > 8<<10 || strings.Contains(got.json, "foreign.strange") {
				t.Errorf("%s, %s: %s, %.80q", kind, how, last.Type, last.Value)
			}
			if kind == "a nil pointer" && how != "too late" && how != "traced" && last.Type != "*foreigntest.nilPointer" {
				t.Errorf("%s, %s: it is a %s", kind, how, last.Type)
			}
			if id := got.Contexts["delivery"]["message_id"]; id != "a·\uFFFD" {
				t.Errorf("the message id is %q", id)
			}
		}
	}
}

// traced is an error whose method has the name of one that sentry-go calls, and is another.
type traced struct{ error }

func (traced) StackTrace(int) {}
