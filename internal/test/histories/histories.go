// Package histories draws histories for model tests, and shrinks one that fails.
package histories

import (
	"flag"
	"fmt"
	"testing"

	"pgregory.net/rapid"
)

// Check draws so many histories, unless -rapid.checks says otherwise, and calls actOut for each. If
// actOut returns an error, the test fails with these words, and logs the error at the end.
func Check[H any](t *testing.T, checks int, of *rapid.Generator[H], actOut func(H) error, words string) {
	t.Helper()
	setChecks(t, checks)
	tries := 1
	var wrong error
	defer func() {
		if wrong != nil {
			t.Logf("%v", wrong)
		}
	}()
	rapid.Check(t, func(rt *rapid.T) {
		h := of.Draw(rt, "history")
		for range tries {
			if err := actOut(h); err != nil {
				// Goroutines race and pauses are random, so a shorter history counts as failing if
				// it fails in one of several tries. The words do not contain the error, because
				// rapid needs the same words each time.
				tries, wrong = 20, err
				rt.Fatal(words)
			}
		}
	})
}

func setChecks(t *testing.T, n int) {
	t.Helper()
	given := map[string]bool{}
	flag.Visit(func(f *flag.Flag) { given[f.Name] = true })
	for name, value := range map[string]string{"rapid.checks": fmt.Sprint(n), "rapid.nofailfile": "true"} {
		if given[name] {
			continue
		}
		if err := flag.Set(name, value); err != nil {
			t.Fatal(err)
		}
	}
}
