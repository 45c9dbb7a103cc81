package consumer_test

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/internal/test/connecttest"
)

// written is a log that is read while it is written.
type written struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (w *written) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.Write(p)
}

func (w *written) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

func startLogged(t *testing.T, cfg connection.Config, spec consumer.Spec) (*consumer.Consumer, *written) {
	t.Helper()
	var log written
	c, err := consumer.New(connecttest.New(t, cfg), spec, nil, slog.New(slog.NewTextHandler(io.Writer(&log), nil)))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Stop(t.Context()) })
	return c, &log
}

// A consumer says at its start what a company's policy makes of its queues, and does not trust a
// dead-lettering that the policy has made unsafe.
func TestAConsumerSaysWhatPoliciesMakeOfItsQueues(t *testing.T) {
	t.Parallel()
	b, api := amqptest.StartManaged(t)
	b.Ctl("set_policy", "company", ".*", `{"max-length":1000,"overflow":"drop-head","delivery-limit":7}`, "--apply-to", "queues")
	cfg := connection.Config{URL: b.URL, Management: api}
	spec := consumer.Spec{Queue: "orders", Backoff: []time.Duration{time.Hour}, Handler: always(consumer.Ack())}

	c, log := startLogged(t, cfg, spec)
	amqptest.Eventually(t, 30*time.Second, func() bool { return len(c.Health().Problems) > 0 }, "no problems are found")
	problems := strings.Join(c.Health().Problems, "\n")
	for _, want := range []string{
		`queue orders-error: it has max-length 1000 (policy "company"), and drops messages above that`,
		`queue orders-error: it has delivery-limit 7 (policy "company")`,
		`queue orders: it dead-letters at most once, because its overflow is drop-head (policy "company")`,
	} {
		if !strings.Contains(problems, want) {
			t.Errorf("Health does not say %q but\n%s", want, problems)
		}
	}
	if text := log.String(); !strings.Contains(text, "level=ERROR") || !strings.Contains(text, "drops messages above that") || strings.Contains(text, "bunnicula:bunnicula") {
		t.Errorf("the log is\n%s", text)
	}
	// The broker would dead-letter it at most once, so it is held.
	publishUnreadable(t, b.URL, "orders")
	amqptest.Eventually(t, 10*time.Second, func() bool { return c.Health().Unreadable == 1 }, "the unreadable message is not held")
	if c.Health().Ready {
		t.Error("a consumer that holds an unreadable message is ready")
	}

	// The policy goes: nothing is wrong any more, and the next session parks the message.
	b.Ctl("clear_policy", "company")
	b.Ctl("close_all_connections", "for a test") // else it looks again in some minutes
	amqptest.Eventually(t, 30*time.Second, func() bool { return len(c.Health().Problems) == 0 }, "problems stay")
	b.Ctl("close_all_connections", "for a test")
	amqptest.Eventually(t, 30*time.Second, func() bool { return c.Health().Ready }, "it is not ready")
}

// A user of the API who may not, an API that hangs, and none at all hold nobody up, and are said.
func TestWithoutAManagementAPIAConsumerSaysThatItDidNotLook(t *testing.T) {
	t.Parallel()
	hang := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, _, _ := r.BasicAuth(); user == "hang" {
			<-hang
		}
		http.Error(w, "", http.StatusUnauthorized)
	}))
	defer server.Close()
	defer close(hang)
	for user, want := range map[string]string{"": "policies are not looked at", "nobody": "policies cannot be looked at", "hang": "policies cannot be looked at"} {
		cfg := connection.Config{URL: amqptest.URL(t)}
		if user != "" {
			cfg.Management = strings.Replace(server.URL, "://", "://"+user+":hunter2@", 1)
		}
		began := time.Now()
		c, log := startLogged(t, cfg, consumer.Spec{Queue: amqptest.Queue(t, "policies"), Backoff: []time.Duration{time.Hour}, Handler: always(consumer.Ack())})
		if took := time.Since(began); took > 4*time.Second {
			t.Errorf("user %q: the start took %s", user, took)
		}
		amqptest.Eventually(t, 30*time.Second, func() bool { return strings.Contains(log.String(), want) }, "nothing says %q", want)
		if text := log.String(); strings.Contains(text, "hunter2") {
			t.Errorf("user %q: the password is shown:\n%s", user, text)
		}
		if h := c.Health(); !h.Ready || len(h.Problems) != 0 {
			t.Errorf("user %q: %+v", user, h)
		}
	}
}
