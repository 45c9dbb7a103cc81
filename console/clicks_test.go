package console

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
)

func TestTwoClicksAtOnceBeginOneOperation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		user := owner("eve", Change)
		c := made(t, Config{StateDir: dir, Identify: func(*http.Request) (User, error) { return user, nil }}, several(12)...)
		_, form := planOf(t, c, planLink)
		_, other := planOf(t, c, planLink) // another tab
		codes := make(chan int, 20)
		var clicks sync.WaitGroup
		for i := range cap(codes) {
			clicks.Go(func() {
				fields := form
				if i%2 == 1 {
					fields = other
				}
				codes <- send(c, "/q/orders-error/redrive", fields).StatusCode
			})
		}
		clicks.Wait()
		close(codes)
		begun := 0
		for code := range codes {
			if code == http.StatusSeeOther {
				begun++
			} else if code != http.StatusForbidden && code != http.StatusConflict {
				t.Errorf("answered with %d", code)
			}
		}
		if n := len(c.runner.All()); begun != 1 || n != 1 {
			t.Errorf("%d were begun, and there are %d", begun, n)
		}
		c.Close(t.Context())
		// Each entry of an operation that was not begun says so.
		text, err := os.ReadFile(filepath.Join(dir, "audit.jsonl"))
		if err != nil {
			t.Fatal(err)
		}
		open := map[string]int{}
		for line := range strings.Lines(string(text)) {
			_, id, _ := strings.Cut(line, `"operation":"`)
			open[id[:36]]++
			if strings.Contains(line, `"outcome":`) {
				open[id[:36]] -= 2
			}
		}
		for id, n := range open {
			if n != 0 {
				t.Errorf("%s has no outcome in\n%s", id, text)
			}
		}
	})
}
