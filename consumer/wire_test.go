package consumer

import (
	"context"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/test/upgrade/fixture/typed"
	"github.com/bunnicula-go/bunnicula/internal/test/wirefixtures"
	"github.com/bunnicula-go/bunnicula/topology"
)

// TestWireIsHandledAsTheFilesSay lets a consumer of the queue orders handle each message of docs/wire
// that does not lie in the error queue. A parked one comes back only as a redriven one.
func TestWireIsHandledAsTheFilesSay(t *testing.T) {
	wirefixtures.Each(t, func(t *testing.T, name string, m wirefixtures.Message) {
		if m.Queue == "orders-error" {
			return
		}
		d, parked := readByHandler(t, m)
		got := wirefixtures.Handled{
			Attempt: d.Attempt, MessageID: d.MessageID, IDGiven: d.MessageIDGiven, Exchange: d.Exchange, RoutingKey: d.RoutingKey,
			Expiration: d.Expiration, UserID: d.UserID, Headers: typed.Table(d.Headers), Parked: parked,
		}
		if m.Properties.MessageID == "" {
			got.MessageID = "" // one that the consumer makes up is another each time
		}
		if _, waits := m.Headers["bunnicula-not-before"]; waits {
			m.Headers = maps.Clone(m.Headers)
			before := m.Headers["bunnicula-not-before"]
			m.Headers["bunnicula-not-before"] = time.Now().Add(time.Hour).UTC().Format(time.RFC3339Nano)
			early, _ := readByHandler(t, m)
			m.Headers["bunnicula-not-before"] = before
			got.NotBefore = early.Attempt == 0
		}
		wirefixtures.CompareHandled(t, name, m, got)
	})
}

// readByHandler runs one message through a consumer. It returns what its handler got or, if the
// handler was not called, the reason for which the message is parked.
func readByHandler(t *testing.T, m wirefixtures.Message) (got Delivery, parked string) {
	t.Helper()
	s := Spec{
		Queue: "orders", MaxRetries: 5, Backoff: []time.Duration{10 * time.Second, time.Minute},
		Handler: func(_ context.Context, d Delivery) Result {
			got = d
			return Ack()
		},
	}
	d := m.Delivery()
	waited := strings.HasPrefix(m.Queue, "orders-retry")
	if strings.HasPrefix(m.About, "Clojure") {
		s.Scheme, s.Backoff = topology.Bunnicula, s.Backoff[1:]
		if waited {
			d.Exchange, d.Expiration = "orders-retry-requeue", "" // as the broker dead-letters it
		}
	} else if waited {
		d.RoutingKey = "orders" // as the broker dead-letters it
	}
	return got, string(process(t, s, d).Reason)
}
