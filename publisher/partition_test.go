package publisher_test

import (
	"strings"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/publisher"
	"github.com/bunnicula-go/bunnicula/publisher/publishertest"
)

func TestAMessageForAPartitionGoesToItsQueue(t *testing.T) {
	var pub publishertest.Recorder
	if err := pub.Publish(t.Context(), "orders", 1, publisher.Partition("customer-1", 16)); err != nil {
		t.Fatal(err)
	}
	err := pub.PublishBatch(t.Context(), publisher.Message{RoutingKey: "orders", Payload: 2, Options: []publisher.Option{publisher.Partition("customer-1", 16)}},
		publisher.Message{RoutingKey: "orders", Payload: 3, Options: []publisher.Option{publisher.Partition("customer-1", 16), publisher.Delay(time.Minute)}})
	if err != nil {
		t.Fatal(err)
	}
	all := pub.Messages()
	of := all[0].RoutingKey
	if !strings.HasPrefix(of, "orders.p") || all[1].RoutingKey != of || all[2].Queue != of || all[2].RoutingKey != of+"-retry-1m" {
		t.Errorf("they went to %q, %q, and %q through %q", of, all[1].RoutingKey, all[2].Queue, all[2].RoutingKey)
	}
}

func TestAPartitionThatCannotBeMeantIsRefused(t *testing.T) {
	for want, c := range map[string]struct {
		queue string
		opts  []publisher.Option
	}{
		`publish to queue "orders": the key of publisher.Partition is empty`:              {"orders", []publisher.Option{publisher.Partition("", 4)}},
		`publish to queue "orders": publisher.Partition has 0 partitions, want 1 to 1024`: {"orders", []publisher.Option{publisher.Partition("k", 0)}},
		`a message for exchange "x" has no partition`:                                     {"orders", []publisher.Option{publisher.Partition("k", 4), publisher.Exchange("x")}},
		`the routing key is "orders.p07", want "orders"`:                                  {"orders.p07", []publisher.Option{publisher.Partition("k", 16)}},
		"a message for a partition needs the name of the queue":                           {"", []publisher.Option{publisher.Partition("k", 16)}},
		"a partition has 257 bytes":                                                       {strings.Repeat("q", 253), []publisher.Option{publisher.Partition("k", 16)}},
	} {
		var pub publishertest.Recorder
		if err := pub.Publish(t.Context(), c.queue, 1, c.opts...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}
