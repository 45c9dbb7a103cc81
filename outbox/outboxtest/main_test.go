package outboxtest_test

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

// The files of examples, which have no test that removes them, are removed here.
func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "outboxtest")
	if err != nil {
		panic(err)
	}
	_ = os.Setenv("TMPDIR", dir)
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		_ = os.RemoveAll(dir)
		os.Exit(code)
	}))
}

// failing is a test that may fail, and keeps the words.
type failing struct {
	testing.TB

	text strings.Builder
}

func (f *failing) Helper()                           {}
func (f *failing) Errorf(format string, args ...any) { fmt.Fprintf(&f.text, format+"\n", args...) }
func (f *failing) Fatal(args ...any)                 { f.Fatalf("%s", fmt.Sprint(args...)) }
func (f *failing) Fatalf(format string, args ...any) {
	f.Errorf(format, args...)
	runtime.Goexit()
}

// says runs f, and returns with what words it failed.
func says(t *testing.T, f func(*failing)) string {
	t.Helper()
	fake := &failing{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		f(fake)
	}()
	<-done
	return fake.text.String()
}

func mustSay(t *testing.T, got string, want ...string) {
	t.Helper()
	for _, part := range want {
		if !strings.Contains(got, part) {
			t.Errorf("it does not say %q:\n%s", part, got)
		}
	}
}
