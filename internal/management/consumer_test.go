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

func TestConsumersHaveTheAppAndTheVersionOfTheirConnection(t *testing.T) {
	answers := map[string]string{
		"/api/consumers/v": `[{"consumer_tag":"a","channel_details":{"connection_name":"one"}},{"consumer_tag":"b","channel_details":{"connection_name":"two"}},{"consumer_tag":"c","channel_details":{"connection_name":"three"}}]`,
		"/api/vhosts/v/connections": `[{"name":"one","client_properties":{"app":"shop","app_version":"1.42.0"}},{"name":"two","client_properties":{"app":7,"app_version":["x"]}},
			{"name":"three","client_properties":[]}]`,
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write([]byte(answers[r.URL.Path])) }))
	defer server.Close()
	all, err := client(t, server.URL).Consumers(t.Context(), "v")
	if err != nil || len(all) != 3 || all[0].App != "shop" || all[0].Version != "1.42.0" || all[1].App != "" || all[1].Version != "" {
		t.Fatalf("%+v, %v", all, err)
	}
}
