package console

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/bunnicula-go/bunnicula/internal/effective"
	"github.com/bunnicula-go/bunnicula/internal/transport"
)

func TestReadingsAreCountedByTheLowerLimitOfAQuorumQueue(t *testing.T) {
	limit := func(n int64) map[string]any { return map[string]any{"delivery-limit": n} }
	argument := func(n int64) map[string]any { return map[string]any{"x-delivery-limit": n} }
	for name, c := range map[string]struct {
		version string
		queue   effective.Queue
		want    int
	}{
		"an argument":             {"3.10.8", effective.Queue{Type: "quorum", Arguments: argument(50)}, 50},
		"a policy that is lower":  {"4.0.5", effective.Queue{Type: "quorum", Arguments: argument(50), Policy: limit(20)}, 20},
		"a policy that is higher": {"4.2.0", effective.Queue{Type: "quorum", Arguments: argument(50), Policy: limit(200)}, 50},
		"nothing, before 4.0":     {"3.13.7", effective.Queue{Type: "quorum"}, 0},
		"nothing, from 4.0 on":    {"4.0.5", effective.Queue{Type: "quorum"}, 20},
		"-1":                      {"4.0.5", effective.Queue{Type: "quorum", Arguments: argument(-1)}, 0},
		"a classic queue":         {"3.10.8", effective.Queue{Type: "classic", Policy: limit(20)}, 0},
		"RabbitMQ 4.3":            {"4.3.0", effective.Queue{Type: "quorum", Arguments: argument(50)}, 0},
		"an unknown broker":       {"", effective.Queue{Type: "quorum", Arguments: argument(50)}, 50},
	} {
		if got := readingsOf(transport.Peer{Version: c.version}, c.queue); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}

func TestAQueueOfFewReadingsIsReadByHand(t *testing.T) {
	s := &scarce{limits: map[string]int{"a": 20, "b": 1000, "c": 1001}}
	for queue, want := range map[string]bool{"a": true, "b": true, "c": false, "unknown": false} {
		if s.few(queue) != want {
			t.Errorf("%s: %v", queue, !want)
		}
	}
}

func TestThePageSaysHowManyReadingsAreUsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := oneOf("id-1", "boom")
		m.Deliveries = 3
		c := made(t, Config{}, m)
		if page := read(t, c, "/q/orders-error"); strings.Contains(page, "readings used") {
			t.Errorf("nobody knows a limit, and the page says:\n%s", page)
		}
		c.scarce.mu.Lock()
		c.scarce.limits["orders-error"] = 20
		c.scarce.mu.Unlock()
		if page := read(t, c, "/q/orders-error"); !strings.Contains(page, "3 of 20 readings used") {
			t.Errorf("the page says:\n%s", page)
		}
	})
}
