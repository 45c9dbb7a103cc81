package consumer

import (
	"context"
	"log/slog"
	"maps"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/consumer/internal/decide"
	"github.com/bunnicula-go/bunnicula/internal/transport"
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

// ending is how an attempt ended, in the words of handlers.
type ending struct {
	result                Result
	panicked              error
	stack                 string
	timedOut, interrupted bool
	duration              time.Duration
}

// settlement is what is done about a delivery whose attempt has ended like that.
func (c *Consumer) settlement(d *received, e ending, now time.Time) Settlement {
	return settlementOf(c.after(d, decide.Ending{
		Result: e.result.said, Panicked: e.panicked, Stack: e.stack, TimedOut: e.timedOut, Interrupted: e.interrupted, Duration: e.duration,
	}, now))
}

// before is what is done about a delivery whose handler does not run.
func before(c *Consumer, d *received) Settlement {
	now := time.Now()
	s, _ := decide.Before(&c.rules, &d.facts, c.given(d, now))
	return settlementOf(s)
}

func decoded(c *Consumer, raw amqp.Delivery) *received { return c.decode(&raw, nil) }

// early says whether a message goes round again, since it came before its time.
func early(s Settlement) bool { return s.Action == 0 && !aside(s) && s.Deed == DeedCopy }

// aside says whether a message is to be handled alone.
func aside(s Settlement) bool { return s.Copy != nil && s.Copy.Queue == "orders-quarantine" }

// delayOf is how long the queue of a copy lets it wait.
func delayOf(c *Consumer, s Settlement) time.Duration {
	for _, q := range c.rules.Topology.Queues {
		if q.Name == s.Copy.Queue {
			return q.Delay
		}
	}
	return 0
}

// past is one entry of the header bunnicula-history.
type past struct {
	At           string `json:"at"`
	Attempt      int    `json:"attempt"`
	Reason       string `json:"reason"`
	Error        string `json:"error,omitempty"`
	Host         string `json:"host"`
	Milliseconds int64  `json:"ms"`
}

// userSession is a session of the user guest.
type userSession struct{ transport.Session }

func (userSession) User() string { return "guest" }

// queueOf is the queue that the copy ends up in.
func queueOf(c *Consumer, s Settlement) string {
	if s.Copy == nil {
		return ""
	}
	if c.rules.Topology.Scheme == topology.Bunnicula && s.Copy.Exchange != "" {
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
