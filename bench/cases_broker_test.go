package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/topology"
)

// changes returns what differs in the arguments of two topologies' queues, one a line.
func changes(t *testing.T, ours, theirs topology.Topology) []string {
	t.Helper()
	var all []string
	for i, q := range theirs.Queues {
		if i >= len(ours.Queues) {
			all = append(all, fmt.Sprintf("%s +queue of %v", q.Role, q.Delay))
			if got := q.Arguments[ttl]; got != q.Delay.Milliseconds() {
				t.Errorf("%s: %s is %v", q.Name, ttl, got)
			}
			continue
		}
		old := ours.Queues[i]
		for name, value := range old.Arguments {
			if now, there := q.Arguments[name]; !there {
				all = append(all, fmt.Sprintf("%s -%s", q.Role, name))
			} else if now != value {
				all = append(all, fmt.Sprintf("%s %s=%v", q.Role, name, now))
			}
		}
		for name, value := range q.Arguments {
			if _, there := old.Arguments[name]; !there {
				all = append(all, fmt.Sprintf("%s +%s=%v", q.Role, name, value))
			}
		}
	}
	slices.Sort(all)
	return all
}

func TestASideAboutTheBrokerChangesTheQueuesAsItSaysAndNothingElse(t *testing.T) {
	const classicMain = "main -x-dead-letter-strategy; main -x-delivery-limit; main x-queue-type=classic"
	const classicRetry = "retry -x-dead-letter-strategy; retry x-queue-type=classic"
	const withoutTTL = "retry -x-message-ttl"
	var eight []string
	for i := 1; i < 8; i++ {
		eight = append(eight, fmt.Sprintf("retry +queue of %dms", 100+i))
	}
	want := map[string]string{
		"broker-retry-queue/at most once":                    "retry -x-dead-letter-strategy",
		"broker-retry-queue/at most once, no x-overflow":     "retry -x-dead-letter-strategy; retry -x-overflow",
		"broker-retry-queue/classic":                         classicRetry,
		"broker-retry-queue/expiration, no x-message-ttl":    withoutTTL,
		"broker-retry-queue/eight retry queues":              strings.Join(eight, "; "),
		"broker-main-queue/no x-delivery-limit":              "main -x-delivery-limit",
		"broker-main-queue/no x-overflow":                    "main -x-overflow",
		"broker-main-queue/no dead-lettering":                "main -x-dead-letter-exchange; main -x-dead-letter-routing-key; main -x-dead-letter-strategy",
		"broker-main-queue/single active consumer":           "main +x-single-active-consumer=true",
		"broker-main-queue/classic":                          classicMain,
		"broker-main-queue/classic, and classic retry queue": classicMain + "; " + classicRetry,
		"broker-return/as ours":                              withoutTTL,
		"broker-return/at most once":                         "retry -x-dead-letter-strategy; " + withoutTTL,
		"broker-return/classic retry queue":                  "retry -x-dead-letter-strategy; " + withoutTTL + "; retry x-queue-type=classic",
	}
	for _, w := range brokerWorkloads() {
		v := variant{workload: w, QueueType: mainType, Size: mainSize}
		ours, err := topologyOf(v, "orders")
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range w.Sides {
			theirs, err := topologyFor(v, s.Name, "orders")
			if err != nil {
				t.Fatal(err)
			}
			name := w.Name + "/" + s.Name
			if got := strings.Join(changes(t, ours, theirs), "; "); got != want[name] {
				t.Errorf("%s changes %q, want %q", name, got, want[name])
			}
			delete(want, name)
		}
	}
	for name := range want {
		t.Errorf("there is no side %s", name)
	}
}

func TestACopySaysHowLongItWaitsOnlyWhereItsSideSaysSo(t *testing.T) {
	original := amqp.Delivery{MessageId: "order-1", Body: []byte("small")}
	now := time.Now()
	for _, tt := range []struct {
		name   string
		copies copies
		min    int64 // 0 for no expiration
		max    int64
	}{
		{"the queue says it", copies{}, 0, 0},
		{"each copy does", copies{expires: true}, 100, 100},
		{"all at once", copies{together: time.Minute}, 50_000, 60_000},
		{"all at once, and that is over", copies{together: time.Nanosecond}, 1, 1},
	} {
		got := tt.copies.of(original, now.Add(tt.copies.together)).Expiration
		n, err := strconv.ParseInt(got, 10, 64)
		if tt.max == 0 && got != "" || tt.max > 0 && (err != nil || n < tt.min || n > tt.max) {
			t.Errorf("%s: expiration %q", tt.name, got)
		}
	}
	p := copies{body: []byte("large"), transient: true}.of(original, now)
	if string(p.Body) != "large" || p.DeliveryMode != amqp.Transient || p.MessageId != "order-1" {
		t.Errorf("got %+v", p)
	}
	p = copies{}.of(original, now)
	if string(p.Body) != "small" || p.DeliveryMode != amqp.Persistent {
		t.Errorf("got %+v", p)
	}
}

func TestCasesAboutTheBrokerRun(t *testing.T) {
	r := testRunner(t)
	for _, name := range []string{"broker-retry-queue", "broker-copy", "broker-confirm"} {
		w, _ := findCase(name)
		v := variant{workload: w, QueueType: mainType, Size: mainSize, Count: 100}
		if _, err := r.playCase(t.Context(), v, 1); err != nil {
			t.Error(err)
		}
	}
}

func TestCopiesThatExpireAtOnceComeBack(t *testing.T) {
	amqptest.Long(t) // they wait for some seconds
	r := testRunner(t)
	w, _ := findCase("broker-return")
	v := variant{workload: w, QueueType: mainType, Size: mainSize, Count: 100}
	if _, err := r.playCase(t.Context(), v, 1); err != nil {
		t.Error(err)
	}
}
