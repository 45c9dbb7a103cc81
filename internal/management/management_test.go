package management_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/bunnicula-go/bunnicula/internal/management"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// recorded answers with recorded answers of a RabbitMQ 3.10.
func recorded(t *testing.T) *management.Client {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "watcher" || password != "s3cr/t" {
			http.Error(w, `{"error":"not_authorised"}`, http.StatusUnauthorized)
			return
		}
		file := map[string]string{
			"/api/queues/my%2Fhost": "queues", "/api/bindings/my%2Fhost": "bindings", "/api/nodes": "nodes",
		}[r.URL.EscapedPath()]
		text, err := os.ReadFile("testdata/" + file + "-3.10.json")
		if err != nil {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write(text)
	}))
	t.Cleanup(server.Close)
	return client(t, strings.Replace(server.URL, "://", "://watcher:s3cr%2Ft@", 1))
}

func client(t *testing.T, url string) *management.Client {
	t.Helper()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	c, err := management.New(url, &http.Client{Transport: transport})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestQueuesAreReadAsABrokerTellsThem(t *testing.T) {
	queues, err := recorded(t).Queues(t.Context(), "my/host")
	if err != nil {
		t.Fatal(err)
	}
	kept := queues["kept"]
	if kept.Type != "quorum" || *kept.Kept != 2 || *kept.Messages != 2 || *kept.Ready != 0 || *kept.Unacked != 0 {
		t.Errorf("kept: %+v", kept)
	}
	if ttl := kept.Arguments["x-message-ttl"]; ttl != int64(100) {
		t.Errorf("x-message-ttl is %v, a %[1]T, want an int64", ttl)
	}
	if len(kept.Effective) != 0 || kept.Policy != "" || kept.Oldest() != nil {
		t.Errorf("kept has a policy or an age: %+v", kept)
	}
	failed := queues["failed"]
	if failed.Policy != "capped" || failed.Effective["max-length"] != int64(10) || failed.Effective["overflow"] != "drop-head" {
		t.Errorf("failed: %+v", failed)
	}
	refunds := queues["refunds"]
	if refunds.Kept != nil || *refunds.Consumers != 0 || refunds.Oldest() == nil || refunds.Oldest().Unix() != *refunds.Head {
		t.Errorf("refunds: %+v", refunds)
	}
}

func TestBindingsAndNodesAreRead(t *testing.T) {
	c := recorded(t)
	bindings, err := c.Bindings(t.Context(), "my/host")
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for _, b := range bindings {
		found = found || b.Source == "events" && b.Destination == "orders" && b.Kind == "queue" && b.Key == "order.*" && len(b.Arguments) == 0
	}
	if !found {
		t.Errorf("no binding of orders to events among %+v", bindings)
	}
	nodes, err := c.Nodes(t.Context())
	if err != nil || len(nodes) != 1 || nodes[0].Name != "rabbit@one" || !nodes[0].Running || nodes[0].Memory || nodes[0].Disk {
		t.Errorf("%+v, %v", nodes, err)
	}
}

func TestAListIsAnEmptyPolicy(t *testing.T) {
	var v management.Values
	for _, text := range []string{`[]`, `null`, `{}`} {
		if err := v.UnmarshalJSON([]byte(text)); err != nil || len(v) != 0 {
			t.Errorf("%s: %v, %v", text, v, err)
		}
	}
	if err := v.UnmarshalJSON([]byte(`{"rate": 1.5}`)); err != nil || v["rate"] != 1.5 {
		t.Errorf("%v, %v", v, err)
	}
}

func TestErrorsSayWhatAndNoPassword(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/api/queues/refused":
			http.Error(w, "", http.StatusForbidden)
		case "/api/queues/html":
			_, _ = w.Write([]byte("<html>"))
		default:
			http.NotFound(w, r)
		}
	}))
	url := strings.Replace(server.URL, "://", "://watcher:hunter2@", 1)
	c := client(t, url)
	for vhost, want := range map[string]string{"refused": "tag monitoring", "html": "cannot be read", "none": "404 Not Found"} {
		_, err := c.Queues(t.Context(), vhost)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v, want an error with %q and no password", vhost, err, want)
		}
		if errors.Is(err, management.ErrRefused) != (vhost == "refused") {
			t.Errorf("%s: ErrRefused is %v", vhost, errors.Is(err, management.ErrRefused))
		}
	}
	server.Close()
	if _, err := c.Queues(t.Context(), "x"); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("nobody there: %v", err)
	}
	if s := c.String(); strings.Contains(s, "hunter2") || strings.Contains(s, "watcher") {
		t.Errorf("it prints %s", s)
	}
	for _, bad := range []string{"", "host:15672", "ftp://u:hunter2@host", "http://u:hunter2@", "http://u:hun%ter2@host", "http://u:hunter2@host:port"} {
		if _, err := management.New(bad, http.DefaultClient); err == nil || strings.Contains(err.Error(), "ter2") {
			t.Errorf("%q: %v, want an error without the password", bad, err)
		}
	}
}
