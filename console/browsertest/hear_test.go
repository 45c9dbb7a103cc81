package browsertest_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// What the other tests fail for is heard, on a page that has all of it.
func TestTheBrowserTellsWhatGoesWrong(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Security-Policy", "default-src 'none'; script-src 'nonce-1'; require-trusted-types-for 'script'")
		_, _ = fmt.Fprint(w, `<!doctype html><title>t</title><p onclick="1" style="color: red">p</p><img src="/x.png"><script>inline()</script>
			<script nonce="1">setTimeout(() => nowhere()); console.warn("warned"); alert("said"); document.body.innerHTML = "<i>"</script>`)
	}))
	t.Cleanup(server.Close)
	b := newTab(t)
	b.open(server.URL)
	var all string
	for end := time.Now().Add(actFor); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		all += strings.Join(b.takeComplaints(), "\n") + "\n"
		missing := ""
		for _, want := range []string{"policy: script-src", "policy: style-src", "policy: img-src", "policy: require-trusted-types-for", "exception: ", `console.warning: "warned"`, "dialog: said"} {
			if !strings.Contains(all, want) {
				missing = want
			}
		}
		if missing == "" {
			return
		}
	}
	t.Errorf("heard only:\n%s", all)
}
