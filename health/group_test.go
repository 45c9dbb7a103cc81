package health

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bunnicula-go/bunnicula/consumer"
)

func TestReportFollowsWhoIsInTheGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, err := New(Config{})
		if err != nil {
			t.Fatal(err)
		}
		made := func(queue string) *consumer.Consumer {
			c, err := consumer.New(nil, consumer.Spec{Queue: queue, Handler: func(context.Context, consumer.Delivery) consumer.Result { return consumer.Ack() }}, nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			return c
		}
		group, err := consumer.NewGroup(made("orders"))
		if err != nil {
			t.Fatal(err)
		}
		h.WatchConsumers(group)
		parts := func() string {
			var names []string
			for _, p := range h.Report().Parts {
				names = append(names, p.Name)
			}
			return strings.Join(names, " ")
		}
		if got := parts(); got != "orders" {
			t.Errorf("at first there are %q", got)
		}
		for range 2 {
			added := time.Now()
			if err := group.AddConsumer(t.Context(), made("acme")); err != nil {
				t.Fatal(err)
			}
			if got := parts(); got != "orders acme" {
				t.Errorf("after Add there are %q", got)
			}
			// It is bad since it is there, whatever was of one of its name before.
			if since := h.Report().Parts[1].Since; since == nil || !since.Equal(added) {
				t.Errorf("it is bad since %v, and there since %v", since, added)
			}
			if err := group.Remove(t.Context(), "acme"); err != nil {
				t.Fatal(err)
			}
			if got := parts(); got != "orders" {
				t.Errorf("after Remove there are %q", got)
			}
			time.Sleep(time.Minute)
		}
	})
}
