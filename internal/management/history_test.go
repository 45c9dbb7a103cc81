package management_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/management"
)

// answering answers each path with a recorded answer of a version, and notes the queries.
func answering(t *testing.T, version string, files map[string]string, queries *[]string) *management.Client {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		*queries = append(*queries, r.URL.RawQuery)
		text, err := os.ReadFile("testdata/" + files[r.URL.EscapedPath()] + "-" + version + ".json")
		if err != nil {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write(text)
	}))
	t.Cleanup(server.Close)
	return client(t, strings.Replace(server.URL, "://", "://watcher:s3cr%2Ft@", 1))
}

func TestTheHistoryOfAQueueIsReadAsABrokerTellsIt(t *testing.T) {
	for version, acked := range map[string]float64{"3.10": 213. / 60, "4.3": 214. / 60} {
		var queries []string
		c := answering(t, version, map[string]string{"/api/queues/my%2Fhost/or%2Fders": "history", "/api/overview": "overview"}, &queries)
		points, err := c.History(t.Context(), "my/host", "or/ders", 5*time.Minute, time.Minute)
		if err != nil || len(points) != 6 {
			t.Fatalf("%s: %+v, %v", version, points, err)
		}
		if want := "lengths_age=300&lengths_incr=60&msg_rates_age=300&msg_rates_incr=60"; !strings.HasSuffix(queries[0], want) {
			t.Errorf("%s: asked %q, want %q", version, queries[0], want)
		}
		for i, p := range points {
			if want := time.Unix(1796076900+int64(i)*60, 0); !p.At.Equal(want) {
				t.Errorf("%s: point %d is of %s, want %s", version, i, p.At, want)
			}
		}
		// Of lengths and of rates the broker's last points differ.
		first, last, newest := points[0], points[4], points[5]
		if *first.Ready != 0 || *first.In != 0 || *first.Out != 0 {
			t.Errorf("%s: the first point is %+v", version, first)
		}
		if *last.Out != acked || *last.In <= *last.Out || newest.Out != nil || *newest.Ready != 0 {
			t.Errorf("%s: the last points are %+v, %+v; %v acked a second", version, last, newest, acked)
		}
		if kept, err := c.Kept(t.Context()); err != nil || kept != time.Hour {
			t.Errorf("%s: kept for %s, %v", version, kept, err)
		}
	}
}

func TestACountThatBeganAnewTellsNoRate(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"message_stats":{"ack_details":{"samples":[
			{"sample":60,"timestamp":180000},{"sample":0,"timestamp":120000},{"sample":500,"timestamp":60000}]}}}`))
	}))
	defer server.Close()
	points, err := client(t, server.URL).History(t.Context(), "/", "q", time.Minute, time.Minute)
	if err != nil || len(points) != 1 || *points[0].Out != 1 || points[0].In != nil || points[0].Ready != nil {
		t.Errorf("%+v, %v", points, err)
	}
	if kept, err := client(t, server.URL).Kept(t.Context()); err != nil || kept != 0 {
		t.Errorf("an API that says nothing keeps for %s, %v", kept, err)
	}
}

func TestAConsumerOfAnUnknownChannelIsRead(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/connections") {
			_, _ = w.Write([]byte(`[]`))
			return
		}
		_, _ = w.Write([]byte(`[{"consumer_tag":"a","channel_details":[],"queue":{"name":"q"}}]`))
	}))
	defer server.Close()
	all, err := client(t, server.URL).Consumers(t.Context(), "h")
	if err != nil || len(all) != 1 || all[0].Tag != "a" || all[0].Channel.Connection != "" {
		t.Errorf("%+v, %v", all, err)
	}
}

func TestConnectionsSayWhichAppTheyAreOf(t *testing.T) {
	for version := range map[string]bool{"3.10": true, "4.3": true} {
		var queries []string
		c := answering(t, version, map[string]string{"/api/consumers/h": "consumers", "/api/vhosts/h/connections": "apps"}, &queries)
		connections, consumers, err := c.Connected(t.Context(), "h")
		if err != nil || len(connections) != 2 || len(consumers) != 4 {
			t.Fatalf("%s: %+v, %+v, %v", version, connections, consumers, err)
		}
		one := connections[0]
		if one.Given != "shop (consume)" || one.Properties.Text("app") != "shop" || one.Properties.Text("app_version") != "1.41.0" || one.Channels != 3 {
			t.Errorf("%s: %+v", version, one)
		}
		if one.Began().Year() != 2026 || one.Properties.Text("capabilities") != "" || one.Properties.Text("none") != "" {
			t.Errorf("%s: began %s, %v", version, one.Began(), one.Properties)
		}
		if consumers[0].Prefetch == 0 {
			t.Errorf("%s: the prefetch is missing: %+v", version, consumers[0])
		}
	}
}
