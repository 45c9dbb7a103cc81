package console

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
)

func TestWhatCannotBeWrittenDownIsNotDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		user, dir := owner("eve", Change), t.TempDir()
		c := made(t, Config{StateDir: dir, Identify: func(*http.Request) (User, error) { return user, nil }}, several(12)...)
		mark := markOf(t, c, "orders-error", nil)
		read(t, c, "/q/orders-error/m/"+mark)
		_, form := planOf(t, c, planLink)
		lines, err := os.ReadFile(filepath.Join(dir, "audit.jsonl"))
		if err != nil || !strings.Contains(string(lines), `"action":"view"`) || !strings.Contains(string(lines), `"from":"127.0.0.1"`) || strings.Contains(string(lines), "Number") {
			t.Errorf("the audit has %s, %v", lines, err)
		}
		if err := c.audit.Close(); err != nil {
			t.Fatal(err)
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
		if answer := send(c, "/q/orders-error/redrive", form); answer.StatusCode != http.StatusInternalServerError {
			t.Errorf("a redrive: %s", answer.Status)
		}
		if answer := get(c, "/q/orders-error/m/"+mark); answer.StatusCode != http.StatusInternalServerError {
			t.Errorf("a message: %s", answer.Status)
		}
		if n := len(c.runner.All()); n != 0 {
			t.Errorf("%d operations were begun", n)
		}
	})
}
