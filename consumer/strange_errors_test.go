package consumer

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/bunnicula-go/bunnicula/internal/foreign"
	"github.com/bunnicula-go/bunnicula/internal/foreign/foreigntest"
	"github.com/bunnicula-go/bunnicula/internal/wire"
	"github.com/bunnicula-go/bunnicula/monitoring"
)

// strangeHandlers are the ways in which an error comes from a handler.
func strangeHandlers(err error) map[string]Handler {
	return map[string]Handler{
		"Retry":      returns(Retry(err)),
		"RetryAfter": returns(RetryAfter(time.Minute, err)),
		"Timeout":    returns(Timeout(err)),
		"Error":      returns(Error(err)),
		"a panic":    func(context.Context, Delivery) Result { panic(err) },
		"a codec's":  Decode(codec{func() error { return err }}, func(context.Context, Message[int]) Result { return Ack() }),
		"FromError":  JSON(FromError(func(context.Context, Message[any]) error { return err })),
		"Permanent":  JSON(FromError(func(context.Context, Message[any]) error { return Permanent(err) })),
		"After":      JSON(FromError(func(context.Context, Message[any]) error { return After(time.Minute, err) })),
		"too late": func(ctx context.Context, _ Delivery) Result {
			<-ctx.Done()
			return Error(err)
		},
	}
}

func TestAnErrorOfAnyKindIsAFailureThatMonitorsCanRead(t *testing.T) {
	for kind, err := range foreigntest.Errors() {
		for how, h := range strangeHandlers(err) {
			t.Run(kind+"/"+how, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := process(t, slowly(h), delivery(nil))
					if !s.Failed() || s.Copy == nil || s.Err == nil || s.Group == "" {
						t.Fatalf("%v, group %q, error of type %T", in(s), s.Group, s.Err)
					}
					checkSafe(t, s)
					checkFailureHeaders(t, s, kind == "no text")
				})
			})
		}
	}
}

// checkSafe uses the error of an outcome as a monitor may.
func checkSafe(t *testing.T, s Settlement) {
	t.Helper()
	// Only an error that the handler gave may be without a text.
	handlers := s.Reason == monitoring.ReasonRetry || s.Reason == monitoring.ReasonError || s.Reason == monitoring.ReasonTimeout
	if text := s.Err.Error(); text == "" && !handlers || !utf8.ValidString(text) || len(text) > 2*foreign.MaxText {
		t.Errorf("the error's text has %d bytes: %.80q", len(text), text)
	}
	if errors.Is(s.Err, errBoom) {
		t.Error("the error is another one")
	}
	if target := new(DecodeError); errors.As(s.Err, &target) != (s.Reason == monitoring.ReasonUndecodable) {
		t.Error("a DecodeError is not found, or is found in another error")
	}
}

func checkFailureHeaders(t *testing.T, s Settlement, silent bool) {
	t.Helper()
	h := s.Copy.Headers
	text, _ := h[wire.Error].(string)
	if text == "" && !silent && s.Action == monitoring.Parked || !utf8.ValidString(text) || len(text) > 2<<10 {
		t.Errorf("the copy's error has %d bytes: %.80q", len(text), text)
	}
	history, _ := h[wire.History].(string)
	if !utf8.ValidString(history) || len(history) > 1<<10 || !strings.Contains(history, `"reason":"`+string(s.Reason)) || !silent && !strings.Contains(history, `"error":"`) {
		t.Errorf("the copy's history has %d bytes", len(history))
	}
	if kind, _ := h[wire.ErrorType].(string); s.Action == monitoring.Parked && kind == "*foreign.strange" {
		t.Error("the copy's error type is not the handler's")
	}
	if s.Action == monitoring.Parked && h[wire.Reason] != string(s.Reason) || wire.Size(h) > wire.MaxOurs {
		t.Errorf("reason %v, headers of %d bytes", h[wire.Reason], wire.Size(h))
	}
}

// The error was nil for the handler's author, and an interface for us.
func TestATypedNilIsParkedUnderItsType(t *testing.T) {
	s := process(t, spec(func(s *Spec) { s.Handler = returns(Error(foreigntest.Errors()["a nil pointer"])) }), delivery(nil))
	h := s.Copy.Headers
	if h[wire.Error] != "*foreigntest.nilPointer: its Error method panicked" || h[wire.ErrorType] != "*foreigntest.nilPointer" {
		t.Errorf("%v, %v", h[wire.Error], h[wire.ErrorType])
	}
}
