package consumer

import (
	"context"
	"log/slog"
	"maps"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/topology"
)

// quiet makes a Consumer that can only Process.
func quiet(t testing.TB, s Spec) *Consumer {
	t.Helper()
	c, err := New(nil, s, monitoring.Nop{}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// process runs one delivery through a consumer of the Spec.
func process(t testing.TB, s Spec, raw amqp.Delivery) Settlement {
	t.Helper()
	return quiet(t, s).Process(t.Context(), raw)
}

// returns is a handler that says the same of every message.
func returns(r Result) Handler { return func(context.Context, Delivery) Result { return r } }

// delivery is a message of the queue orders, as published by its name, with these headers.
func delivery(headers amqp.Table) amqp.Delivery {
	return amqp.Delivery{
		MessageId: "m-1", RoutingKey: "orders", ContentType: "application/json", DeliveryMode: amqp.Persistent,
		Timestamp: time.Unix(1_700_000_000, 0).UTC(), Headers: headers, Body: []byte(`{}`),
	}
}

// back is the copy as the broker delivers it, the moment that it was published.
func back(s Settlement) amqp.Delivery {
	p := s.Copy.Publishing
	return amqp.Delivery{
		RoutingKey: "orders", MessageId: p.MessageId, ContentType: p.ContentType, ContentEncoding: p.ContentEncoding,
		DeliveryMode: p.DeliveryMode, Priority: p.Priority, CorrelationId: p.CorrelationId, ReplyTo: p.ReplyTo,
		Timestamp: p.Timestamp, Type: p.Type, UserId: p.UserId, AppId: p.AppId, Headers: maps.Clone(p.Headers), Body: p.Body,
	}
}

// attempts is the count that a copy carries; -1 if it is not one.
func attempts(s Settlement) int64 {
	n, ok := s.Copy.Headers["retry-attempts"].(int64)
	if !ok {
		return -1
	}
	return n
}

// queueOf is the queue that the copy ends up in.
func queueOf(c *Consumer, s Settlement) string {
	if s.Copy == nil {
		return ""
	}
	if c.topology.Scheme == topology.Bunnicula && s.Copy.Exchange != "" {
		return s.Copy.Exchange
	}
	return s.Copy.RoutingKey
}

// said is the settlement in a few words.
type said struct {
	action monitoring.Action
	reason monitoring.Reason
	delay  time.Duration
}

func in(s Settlement) said { return said{s.Action, s.Reason, s.Delay} }

func amqpHeaders(name string, value any) amqp.Table { return amqp.Table{name: value} }
