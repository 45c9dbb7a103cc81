package management_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
)

func TestWhoIsActiveIsReadAsABrokerTells(t *testing.T) {
	for version, active := range map[string]map[string]string{
		"3.10": {"q.quorum": "shop (one)", "q.classic": "shop (one)"},
		"4.3":  {"q.quorum": "shop (two)", "q.classic": "shop (one)"}, // a priority counts for quorum queues
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			file := map[string]string{"/api/consumers/my%2Fhost": "consumers", "/api/vhosts/my%2Fhost/connections": "connections"}[r.URL.EscapedPath()]
			text, err := os.ReadFile("testdata/" + file + "-" + version + ".json")
			if err != nil {
				http.NotFound(w, r)
				return
			}
			_, _ = w.Write(text)
		}))
		all, err := client(t, strings.Replace(server.URL, "://", "://watcher:s3cr%2Ft@", 1)).Consumers(t.Context(), "my/host")
		server.Close()
		if err != nil || len(all) != 4 {
			t.Fatalf("%s: %+v, %v", version, all, err)
		}
		for _, c := range all {
			if c.Channel.Host != "127.0.0.1" || c.Tag == "" || c.Active != (c.Connection == active[c.Queue.Name]) {
				t.Errorf("%s: %+v, and %s is active", version, c, active[c.Queue.Name])
			}
		}
	}
}
