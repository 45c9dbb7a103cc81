package wirefixtures_test

import (
	"context"
	"encoding/json"
	"errors"
	"regexp"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/control"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/internal/test/connecttest"
	"github.com/bunnicula-go/bunnicula/internal/test/wirefixtures"
	"github.com/bunnicula-go/bunnicula/publisher"
)

func TestWireOfEvents(t *testing.T) {
	t.Parallel()
	acks := func(context.Context, consumer.Delivery) consumer.Result { return consumer.Ack() }
	redriven := amqp.Table{"bunnicula-redrive-count": int64(1), "bunnicula-redrive-id": newID}
	for _, c := range []struct {
		what    control.What
		about   string
		handler consumer.Handler
		headers amqp.Table
	}{
		{control.Retried, "A message was retried, and waits for its second attempt.",
			func(context.Context, consumer.Delivery) consumer.Result {
				return consumer.Retry(errors.New("mail server: connection refused"))
			}, nil},
		{control.Parked, "A message was given up, with an error that has a type.",
			func(context.Context, consumer.Delivery) consumer.Result {
				return consumer.Error(&json.UnsupportedValueError{Str: "no email"})
			}, nil},
		{control.Redriven, "A message that was redriven was acked at its first attempt.", acks, redriven},
		{control.Recovered, "A message that had failed once was acked.", acks, amqp.Table{"retry-attempts": int64(1)}},
	} {
		t.Run(string(c.what), func(t *testing.T) {
			s := newScene(t, c.handler)
			exchange := s.tells(c.what)
			s.start()
			amqptest.Publish(t, "", s.queue, amqp.Publishing{
				MessageId: "order-1", Type: "order", Timestamp: then, DeliveryMode: amqp.Persistent, Headers: c.headers, Body: []byte("1"),
			})
			d := amqptest.Get(t, s.queue+"-watch")
			normal(&d, s.queue)
			if d.Exchange != normalText(exchange, s.queue) {
				t.Errorf("it came from exchange %q", d.Exchange)
			}
			d.Exchange, d.Body = control.EventsExchange, normalEvent(d.Body, s.queue)
			wirefixtures.Compare(t, "events/"+string(c.what), c.about, wirefixtures.Of(d, "watch"))
		})
	}
}

// tells has the consumer publish events of a kind, of which the queue orders-watch gets copies.
func (s *scene) tells(what control.What) (exchange string) {
	s.t.Helper()
	exchange, watch := s.queue+"-told", s.queue+"-watch"
	amqptest.Cleanup(s.t, exchange, watch)
	ch := amqptest.Channel(s.t)
	if err := ch.ExchangeDeclare(exchange, "topic", true, false, false, false, nil); err != nil {
		s.t.Fatal(err)
	}
	if _, err := ch.QueueDeclare(watch, true, false, false, false, nil); err != nil {
		s.t.Fatal(err)
	}
	if err := ch.QueueBind(watch, "#", exchange, false, nil); err != nil {
		s.t.Fatal(err)
	}
	pub, err := publisher.New(s.conn, publisher.Config{}, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	m, err := control.Events(pub, control.EventsConfig{Connection: s.conn, Exchange: exchange, What: []control.What{what}})
	if err != nil {
		s.t.Fatal(err)
	}
	m.Start()
	s.t.Cleanup(func() { // after the consumer was stopped
		m.Stop(connecttest.Within(s.t, time.Second))
		if err := pub.Stop(connecttest.Within(s.t, 10*time.Second)); err != nil {
			s.t.Error(err)
		}
	})
	s.monitor = m
	return exchange
}

var (
	anyMoment  = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z`)
	durationMS = regexp.MustCompile(`"duration_ms":\d+`)
)

// normalEvent gives the body of an event the values of the files.
func normalEvent(body []byte, base string) []byte {
	text := anyMoment.ReplaceAllString(string(body), "2026-01-02T03:04:05Z")
	return []byte(normalText(durationMS.ReplaceAllString(text, `"duration_ms":5`), base))
}
