package main

import (
	"cmp"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.uber.org/fx"
	"go.uber.org/fx/fxtest"
	"go.yaml.in/yaml/v3"

	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
)

func TestProbesMetricsAndTheConsoleAreServed(t *testing.T) {
	t.Setenv("AMQP_URL", amqptest.URL(t))
	queue, addr, backoff = amqptest.Queue(t, "observed"), "127.0.0.1:0", 100*time.Millisecond
	app := fxtest.New(t, app(), fx.NopLogger)
	app.RequireStart()
	client := &http.Client{Timeout: 5 * time.Second}
	defer client.CloseIdleConnections()
	get := func(path string) (int, string) {
		req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, "http://"+addr+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, string(body)
	}
	for _, path := range []string{"/livez", "/readyz"} {
		if code, body := get(path); code != http.StatusOK || !strings.Contains(body, `"name": "orders"`) {
			t.Errorf("%s: %d %s", path, code, body)
		}
	}
	amqptest.Eventually(t, 10*time.Second, func() bool {
		_, body := get("/metrics")
		return strings.Contains(body, `bunnicula_deliveries_total{action="acked",consumer="orders",reason=""}`) &&
			strings.Contains(body, `bunnicula_deliveries_total{action="retried",consumer="orders",reason="retry"}`) &&
			strings.Contains(body, `bunnicula_deliveries_total{action="parked",consumer="orders",reason="error"}`) &&
			strings.Contains(body, `bunnicula_consumer_up{connection="",consumer="orders"} 1`) &&
			strings.Contains(body, `bunnicula_connection_up{connection="observed",purpose="publish"} 1`)
	}, "the metrics do not show what happened")
	if code, page := get("/ops/queues/"); code != http.StatusOK || !strings.Contains(page, queue) {
		t.Errorf("the console: %d %s", code, page)
	}
	amqptest.Eventually(t, 20*time.Second, func() bool {
		_, page := get("/ops/queues/q/" + queue + "-error")
		return strings.Contains(page, "no such order")
	}, "the console does not show what is parked")
	app.RequireStop()
}

// The command in docker-compose.yml, the port that its Prometheus scrapes and what this program
// answers belong together.
func TestPrometheusOfTheComposeFileReachesTheExample(t *testing.T) {
	var scraped struct {
		ScrapeConfigs []struct {
			MetricsPath   string                       `yaml:"metrics_path"`
			StaticConfigs []struct{ Targets []string } `yaml:"static_configs"`
		} `yaml:"scrape_configs"`
	}
	if err := yaml.Unmarshal(read(t, "docs/metrics/prometheus.yml"), &scraped); err != nil {
		t.Fatal(err)
	}
	job := scraped.ScrapeConfigs[0]
	target, path := job.StaticConfigs[0].Targets[0], cmp.Or(job.MetricsPath, "/metrics")
	host, port, err := net.SplitHostPort(target)
	if err != nil || host != "host.docker.internal" {
		t.Fatalf("Prometheus scrapes %q, %v", target, err)
	}

	command := regexp.MustCompile(`(?m)^# .* go run \./examples/observed (.*)$`).FindSubmatch(read(t, "docker-compose.yml"))
	if command == nil {
		t.Fatal("docker-compose.yml has no command that runs this program with a flag")
	}
	was := addr
	defer func() { addr = was }()
	if err := flags().Parse(strings.Fields(string(command[1]))); err != nil {
		t.Fatal(err)
	}
	listens, at, err := net.SplitHostPort(addr)
	if err != nil || listens != "" || at != port {
		t.Fatalf("the command listens on %q, %v, and Prometheus scrapes port %s from a container", addr, err, port)
	}

	t.Setenv("AMQP_URL", amqptest.URL(t))
	queue, addr = amqptest.Queue(t, "observed"), net.JoinHostPort(listens, "0")
	app := fxtest.New(t, app(), fx.NopLogger)
	app.RequireStart()
	defer app.RequireStop()
	_, taken, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Timeout: 5 * time.Second}
	defer client.CloseIdleConnections()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+net.JoinHostPort(address(t), taken)+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = target // as Prometheus asks
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK || !strings.Contains(string(body), "bunnicula_consumer_up{") {
		t.Errorf("%s: %s, %v\n%.300s", req.URL, res.Status, err, body)
	}

	req, err = http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+net.JoinHostPort(address(t), taken)+"/ops/queues/", nil)
	if err != nil {
		t.Fatal(err)
	}
	refused, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer refused.Body.Close()
	if refused.StatusCode != http.StatusForbidden {
		t.Errorf("the console answers others than this machine: %s", refused.Status)
	}
}

// address returns an address of this machine that a container can reach, which loopback is not.
func address(t *testing.T) string {
	t.Helper()
	all, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range all {
		if ip, ok := a.(*net.IPNet); ok && ip.IP.To4() != nil && !ip.IP.IsLoopback() && !ip.IP.IsLinkLocalUnicast() {
			return ip.IP.String()
		}
	}
	t.Skip("this machine has no IPv4 address but loopback")
	return ""
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	text, err := os.ReadFile("../../" + file)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
