package foreign

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/bunnicula-go/bunnicula/internal/foreign/foreigntest"
)

func TestAnErrorOfAnyKindIsSafeForWhoeverUsesIt(t *testing.T) {
	for name, err := range foreigntest.Errors() {
		t.Run(name, func(t *testing.T) {
			safe := Safe(err)
			if text := safe.Error(); len(text) > MaxText || !utf8.ValidString(text) {
				t.Errorf("its text has %d bytes: %.80q", len(text), text)
			}
			// An error's methods are found by errors.Is and errors.As too.
			if errors.Is(safe, context.Canceled) {
				t.Error("it is another error")
			}
			if target := new(net.OpError); errors.As(safe, &target) {
				t.Error("it is of another type")
			}
			for e, depth := safe, 0; e != nil; e, depth = errors.Unwrap(e), depth+1 {
				if depth > 10 || e.Error() == "a circle" && depth > 0 {
					t.Fatal("its chain does not end")
				}
			}
			if again := Safe(safe); again.Error() != safe.Error() || reflect.TypeOf(Original(again)) != reflect.TypeOf(Original(safe)) {
				t.Errorf("a safe error is made safe again: %T", again)
			}
			if Safe(fmt.Errorf("panic: %w", safe)).Error() != "panic: "+safe.Error() && len(safe.Error()) < MaxText/2 {
				t.Error("it cannot be wrapped")
			}
		})
	}
}

func TestASafeErrorIsWhatItWas(t *testing.T) {
	cause := errors.New("cause")
	for name, err := range map[string]error{
		"plain": cause, "wrapped": fmt.Errorf("a: %w", cause), "joined": errors.Join(errors.New("a"), fmt.Errorf("b: %w", cause)),
	} {
		if Safe(err) != err {
			t.Errorf("%s: it is another error: %v", name, Safe(err))
		}
	}
	if Safe(nil) != nil || Original(nil) != nil || Text(nil, 9) != "" {
		t.Error("nil is an error")
	}
	long := fmt.Errorf("%s: %w", strings.Repeat("x", MaxText), errors.Join((*net.OpError)(nil), &fs.PathError{Op: "open", Path: "file", Err: cause}))
	safe := Safe(long)
	var path *fs.PathError
	if !errors.Is(safe, cause) || !errors.As(safe, &path) || path.Path != "file" || Original(safe) != long {
		t.Errorf("what was in it is not found: %v, %T", path, Original(safe))
	}
	if !errors.As(Safe((*fs.PathError)(nil)), &path) || path != nil {
		t.Error("the type of a nil pointer is not found")
	}
}

func TestTheTextOfAnErrorSaysWhatIsKnown(t *testing.T) {
	for name, want := range map[string]string{
		"a nil pointer":            "*foreigntest.nilPointer: its Error method panicked",
		"panics in every method":   "foreigntest.panics: its Error method panicked",
		"a circle":                 "a circle",
		"panics in Is, As, Unwrap": "it panics in chain",
		"a wrapped nil pointer":    "charge: <nil>",
		"not UTF-8":                "caf\uFFFD: \x1b[2J\x00\r\n",
	} {
		err := foreigntest.Errors()[name]
		if got := Text(err, 100); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
		if got := Safe(err).Error(); got != want {
			t.Errorf("%s, made safe: %q, want %q", name, got, want)
		}
	}
	large := foreigntest.Errors()["ten megabytes"]
	if got := Text(large, 20); got != "01234567890123456…" {
		t.Errorf("%q", got)
	}
}

func TestIsAndAsEndWhateverAnErrorDoes(t *testing.T) {
	for name, err := range foreigntest.Errors() {
		if Is(err, context.Canceled) {
			t.Errorf("%s is context.Canceled", name)
		}
		if found, ok := As[*net.OpError](err); ok {
			t.Errorf("%s is %v", name, found)
		}
		in := fmt.Errorf("a: %w", errors.Join(err, fmt.Errorf("b: %w", context.Canceled)))
		circle := strings.Contains(name, "circle")
		if !circle && !Is(in, context.Canceled) {
			t.Errorf("beside %s nothing is found", name)
		}
	}
	list := foreigntest.Errors()["cannot be compared"]
	if Is(list, list) || !Is(nil, nil) || Is(nil, context.Canceled) || Is(context.Canceled, nil) {
		t.Error("Is and errors.Is differ")
	}
	if found, ok := As[*fs.PathError](fmt.Errorf("a: %w", &fs.PathError{Op: "open"})); !ok || found.Op != "open" {
		t.Errorf("%v, %t", found, ok)
	}
}

// The handlers of log/slog look for the methods of an error.
func TestASafeErrorIsOnlyText(t *testing.T) {
	var out bytes.Buffer
	log := slog.New(slog.NewJSONHandler(&out, nil))
	for name, err := range foreigntest.Errors() {
		out.Reset()
		safe := Safe(err)
		log.Info("line", "err", Text(safe, 200))
		var line struct{ Err string }
		if err := json.Unmarshal(out.Bytes(), &line); err != nil || line.Err == "" && name != "no text" || strings.Contains(line.Err, "PANIC") {
			t.Errorf("%s: %v, %.200s", name, err, out.String())
		}
	}
}
