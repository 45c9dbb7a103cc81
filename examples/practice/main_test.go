package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"regexp"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/examples/internal/drill/drilltest"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
)

func TestMain(m *testing.M) { drilltest.Main(m, main) }

// exercise returns a prefix of the test's own, and forgets its queues at the end.
func exercise(t *testing.T) string {
	t.Helper()
	prefix := amqptest.Queue(t, "practice") + "-"
	t.Cleanup(func() {
		b, err := dial(amqptest.URL(t), prefix)
		if err != nil {
			t.Fatal(err)
		}
		defer b.close()
		if err := b.forget(); err != nil {
			t.Error(err)
		}
	})
	return prefix
}

// browser opens the link that the output has, and returns what then gets pages.
func browser(t *testing.T, out *drilltest.Output) func(path string) string {
	t.Helper()
	link := regexp.MustCompile(`http://127\.0\.0\.1:\d+/login\?token=\S+`)
	amqptest.Eventually(t, 2*time.Minute, func() bool { return link.MatchString(out.String()) }, "no link is printed")
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Jar: jar, Transport: &http.Transport{}, Timeout: 20 * time.Second}
	t.Cleanup(client.CloseIdleConnections)
	get := func(url string) string {
		t.Helper()
		r, err := http.NewRequestWithContext(context.Background(), http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		page, err := io.ReadAll(answer.Body)
		if err != nil || answer.StatusCode != http.StatusOK {
			t.Fatalf("%s: %s, %v\n%s", url, answer.Status, err, page)
		}
		return string(page)
	}
	url := link.FindString(out.String())
	base, _, _ := strings.Cut(url, "/login")
	get(url)
	return func(path string) string { t.Helper(); return get(base + path) }
}

func TestAnOperatorFindsTheVersionThatBroughtAFailure(t *testing.T) {
	prefix := exercise(t)
	var out drilltest.Output
	o, err := parse([]string{"-url", amqptest.URL(t), "-listen", "127.0.0.1:0", "-prefix", prefix}, &out)
	if err != nil {
		t.Fatal(err)
	}
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	in, keyboard := io.Pipe()
	defer keyboard.Close()
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, o, in, &out) }()

	get := browser(t, &out)
	if n := amqptest.Depth(t, prefix+"orders-error"); n < 213 || n > 230 {
		t.Errorf("%d orders are parked, want 213 and what has failed since", n)
	}
	drilltest.MustContain(t, get("/"), prefix+"orders", prefix+"mails", prefix+"invoices")
	var page string
	amqptest.Eventually(t, 20*time.Second, func() bool {
		page = get("/q/" + prefix + "orders-error")
		return strings.Contains(page, "cannot unmarshal string") && strings.Contains(page, "card has expired")
	}, "the kinds of failure are not shown")
	drilltest.MustContain(t, page, "1.41.0", "1.42.0")
	amqptest.Eventually(t, 20*time.Second, func() bool {
		return strings.Contains(get("/q/"+prefix+"mails-error"), "503 Service Unavailable")
	}, "the API's outage is not shown")

	for _, typed := range []string{"1.42.1\n", "9.9.9\n", "\n"} {
		if _, err := io.WriteString(keyboard, typed); err != nil {
			t.Fatal(err)
		}
	}
	amqptest.Eventually(t, 20*time.Second, func() bool {
		return strings.Contains(out.String(), "1.42.1 is deployed") && strings.Contains(out.String(), `not deployed: there is no version "9.9.9"`) &&
			strings.Count(out.String(), "/login?token=") == 2
	}, "nothing obeys the terminal")
	interrupt()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestTheNightHasItsOrder(t *testing.T) {
	now := time.Date(2026, 3, 1, 6, 0, 0, 0, time.UTC)
	var all []amqp.Delivery
	for i := range 40 {
		version := "1.41.0"
		if i%2 == 1 {
			version = "1.42.0"
		}
		all = append(all, amqp.Delivery{MessageId: fmt.Sprintf("orders-%05d", 40-i), Headers: amqp.Table{
			appVersion: version, group: "g", failedAt: now.Format(time.RFC3339), firstFailedAt: now.Add(-time.Second).Format(time.RFC3339),
			history: `[{"at":"2026-03-01T05:59:59Z","attempt":1}]`,
		}})
	}
	aged, err := spread(all, "orders", now)
	if err != nil {
		t.Fatal(err)
	}
	deployed := now.Add(-newVersion)
	last := map[any]string{}
	for i, m := range aged {
		at, err := time.Parse(time.RFC3339, m.Headers[failedAt].(string))
		if err != nil {
			t.Fatal(err)
		}
		if want := map[bool]string{true: "1.41.0", false: "1.42.0"}[at.Before(deployed)]; m.Headers[appVersion] != want {
			t.Errorf("message %d of %s failed at %s", i, m.Headers[appVersion], at)
		}
		if m.MessageId < last[m.Headers[appVersion]] {
			t.Errorf("message %d is %s, after %s", i, m.MessageId, last[m.Headers[appVersion]])
		}
		last[m.Headers[appVersion]] = m.MessageId
		first, _ := time.Parse(time.RFC3339, m.Headers[firstFailedAt].(string))
		if at.Sub(first) != time.Second || !strings.Contains(m.Headers[history].(string), first.Format(time.RFC3339)) {
			t.Errorf("message %d failed at %s, first at %s: %s", i, at, first, m.Headers[history])
		}
		if i > 0 && m.Timestamp.Before(aged[i-1].Timestamp) {
			t.Errorf("message %d is before the one before it", i)
		}
	}
}
