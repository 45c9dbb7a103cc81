package console

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/bunnicula-go/bunnicula/console/internal/operation"
)

func TestAStateDirectoryHasOneConsoleAlsoOneThatOnlyReads(t *testing.T) {
	for name, first := range map[string]bool{"one that changes": false, "one that reads": true} {
		for _, second := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				dir := t.TempDir()
				user := owner("eve", Change)
				who := func(*http.Request) (User, error) { return user, nil }
				c, err := New(Config{Connection: away(t), StateDir: dir, ReadOnly: first, Identify: who})
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close(t.Context())
				audit := filepath.Join(dir, "audit.jsonl")
				if err := os.WriteFile(audit, []byte("what the first one writes just now"), 0o600); err != nil {
					t.Fatal(err)
				}
				other, err := New(Config{Connection: away(t), StateDir: dir, ReadOnly: second, Identify: who})
				if err == nil {
					other.Close(t.Context())
				}
				if !errors.Is(err, operation.ErrLocked) {
					t.Errorf("read-only %v beside %v: %v", second, first, err)
				}
				if text, err := os.ReadFile(audit); err != nil || len(text) == 0 {
					t.Errorf("the one that was refused has changed the audit: %q, %v", text, err)
				}
			})
		}
	}
}

func TestNothingIsDoneOnceTheStateDirectoryIsDeleted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "state")
		user := owner("eve", Change)
		c := made(t, Config{StateDir: dir, Identify: func(*http.Request) (User, error) { return user, nil }}, several(3)...)
		list := read(t, c, "/q/orders-error?show=list")
		message := list[strings.Index(list, `href="/q/orders-error/m/`)+len(`href="`):]
		message = message[:strings.IndexAny(message, `?"`)]
		if answer := get(c, message); answer.StatusCode != http.StatusOK {
			t.Fatal(answer.Status)
		}
		_, form := planOf(t, c, planLink)
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
		if answer := get(c, message); answer.StatusCode != http.StatusInternalServerError {
			t.Errorf("a message is shown, and that is written down nowhere: %s", answer.Status)
		}
		if answer := send(c, "/q/orders-error/redrive", form); answer.StatusCode != http.StatusInternalServerError {
			t.Errorf("a redrive begins, and nobody will know of it: %s", answer.Status)
		}
		if n := len(c.runner.All()); n != 0 {
			t.Errorf("%d operations were begun", n)
		}
	})
}
