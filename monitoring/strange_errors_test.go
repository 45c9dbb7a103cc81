package monitoring_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/bunnicula-go/bunnicula/internal/foreign"
	"github.com/bunnicula-go/bunnicula/internal/foreign/foreigntest"
	"github.com/bunnicula-go/bunnicula/monitoring"
)

// failures returns failures with errors of every kind, as a handler returned them and as a consumer
// hands them on.
func failures() map[string]monitoring.Outcome {
	all := map[string]monitoring.Outcome{}
	for kind, err := range foreigntest.Errors() {
		o := monitoring.Outcome{Action: monitoring.Parked, Reason: monitoring.ReasonError, Err: err, Group: "g"}
		all[kind] = o
		o.Err = foreign.Safe(err)
		all[kind+", made safe"] = o
	}
	return all
}

func TestAnErrorOfAnyKindIsLoggedAsText(t *testing.T) {
	d := monitoring.Delivery{Consumer: "orders", Queue: "orders", MessageID: "a\x1b[2J\xff\r\nb", Body: []byte("x\x1b[2J\n")}
	for kind, o := range failures() {
		var out bytes.Buffer
		monitoring.Log{Logger: jsonLogger(&out), LogPayload: 100}.End(t.Context(), d, o)
		var line struct {
			Msg, Err, Payload string
			ID                string `json:"message_id"`
		}
		if err := json.Unmarshal(out.Bytes(), &line); err != nil {
			t.Errorf("%s: %v: %.200s", kind, err, out.String())
			continue
		}
		if line.Msg != "message parked" || line.Err == "" && !strings.HasPrefix(kind, "no text") || strings.Contains(line.Err, "PANIC") {
			t.Errorf("%s: %.300s", kind, out.String())
		}
		if line.ID != "a·[2J\uFFFD  b" || line.Payload != "x·[2J" {
			t.Errorf("%s: the id is %q and the payload %q", kind, line.ID, line.Payload)
		}
		if len(line.Err) > 8<<10 || !utf8.ValidString(line.Err) || strings.ContainsFunc(line.Err, unicode.IsControl) {
			t.Errorf("%s: the text has %d bytes: %.80q", kind, len(line.Err), line.Err)
		}
	}
}

// A handler of log/slog that is not the standard library's may call every method of a value.
func TestALineHoldsNoErrorOfAHandler(t *testing.T) {
	for kind, o := range failures() {
		seen := false
		monitoring.Log{Logger: slog.New(attributes{slog.DiscardHandler, func(a slog.Attr) {
			seen = true
			if a.Value.Kind() == slog.KindAny || a.Value.Kind() == slog.KindLogValuer {
				t.Errorf("%s: %s is a %T", kind, a.Key, a.Value.Any())
			}
		}})}.End(t.Context(), monitoring.Delivery{}, o)
		if !seen {
			t.Errorf("%s: there is no line", kind)
		}
	}
}

// attributes is a handler that looks at each attribute.
type attributes struct {
	slog.Handler
	look func(slog.Attr)
}

func (attributes) Enabled(context.Context, slog.Level) bool { return true }

func (a attributes) Handle(_ context.Context, r slog.Record) error {
	r.Attrs(func(one slog.Attr) bool { a.look(one); return true })
	return nil
}

func TestCallbacksGetAnErrorOfAnyKind(t *testing.T) {
	for kind, o := range failures() {
		var got []monitoring.Outcome
		monitoring.Callbacks{OnError: func(_ context.Context, _ monitoring.Delivery, o monitoring.Outcome) { got = append(got, o) }}.
			End(t.Context(), monitoring.Delivery{}, o)
		if len(got) != 1 {
			t.Errorf("%s: OnError was called %d times", kind, len(got))
		}
	}
}

func TestAPanicOfAMonitorIsLoggedAsText(t *testing.T) {
	for kind, o := range failures() {
		var out bytes.Buffer
		was := slog.Default()
		slog.SetDefault(jsonLogger(&out))
		monitoring.Multi(monitoring.Callbacks{OnError: func(_ context.Context, _ monitoring.Delivery, o monitoring.Outcome) { panic(o.Err) }}).
			End(t.Context(), monitoring.Delivery{}, o)
		slog.SetDefault(was)
		var line struct{ Msg, Panic string }
		if err := json.Unmarshal(out.Bytes(), &line); err != nil || line.Msg != "monitor panicked" || len(line.Panic) > 8<<10 {
			t.Errorf("%s: %v: %.200s", kind, err, out.String())
		}
	}
}
