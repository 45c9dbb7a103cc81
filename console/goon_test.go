package console

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
)

// stopped is a Console with a state directory, and a redrive of all that was stopped. It returns
// the link that goes on with it.
func stopped(t *testing.T, c *Console) (on string) {
	t.Helper()
	_, form := planOf(t, c, "/q/orders-error/plan?all=redrive")
	form.Set("sure", "all")
	link := send(c, "/q/orders-error/redrive", form).Header.Get("Location")
	synctest.Wait()
	if err := c.runner.Stop(strings.TrimPrefix(link, "/ops/")); err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
	found := regexp.MustCompile(`href="(/q/orders-error/plan\?goes-on=[^"]*)"`).FindStringSubmatch(read(t, c, link))
	if found == nil {
		t.Fatal("nothing leads on")
	}
	return found[1]
}

func TestWhatAnOperationHadChosenIsNeverGuessed(t *testing.T) {
	for name, harm := range map[string]func(file string) error{
		"removed": os.Remove,
		"garbage": func(file string) error { return os.WriteFile(file, []byte("bunnicula marks 1\n???"), 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				dir := t.TempDir()
				user := owner("eve", Change)
				c := made(t, Config{StateDir: dir, Identify: func(*http.Request) (User, error) { return user, nil }}, several(12)...)
				on := stopped(t, c)
				if page := read(t, c, on); !strings.Contains(page, ">Redrive 12</button>") {
					t.Fatalf("the plan that goes on is\n%s", page)
				}
				files, err := filepath.Glob(filepath.Join(dir, "marks", "*.marks"))
				if err != nil || len(files) != 1 {
					t.Fatal(files, err)
				}
				if err := harm(files[0]); err != nil {
					t.Fatal(err)
				}
				answer := get(c, on)
				if page := text(t, answer); answer.StatusCode != http.StatusConflict || !strings.Contains(page, "is not known any more") {
					t.Errorf("%s: all messages of today are taken for what was left:\n%s", answer.Status, page)
				}
			})
		})
	}
}
