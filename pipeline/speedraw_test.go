package pipeline_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
)

// byHand is the same work as that of a Stage on the raw client.
type byHand struct {
	*speed
	pub     *amqp.Channel // in confirm mode; all slots of a stage use it
	to      string
	outputs int
}

const (
	rawPrefetch = 300
	rawWindow   = 128
)

// raw is the rate of the raw client: one connection to consume and one to publish, as ours has.
func (s *speed) raw() float64 {
	s.t.Helper()
	in, out := s.dial(), s.dial()
	defer func() { _, _ = in.Close(), out.Close() }() // the queues are empty
	s.subscribe(in, out, s.end, "", 0)
	s.subscribe(in, out, s.accts, s.end, speedRows)
	s.subscribe(in, out, s.branches, s.accts, speedAccounts)
	first := byHand{speed: s, pub: s.confirming(out), to: s.branches}
	return s.measure("raw", func() {
		var flight []*amqp.DeferredConfirmation
		for i, item := range s.firsts() {
			c, err := first.publish(fmt.Sprint("item-", i), item)
			if err != nil {
				s.t.Error(err)
				return
			}
			flight = append(flight, c)
		}
		for _, c := range flight {
			if !c.Wait() {
				s.t.Error("an item was nacked")
			}
		}
	})
}

func (s *speed) dial() *amqp.Connection {
	s.t.Helper()
	conn, err := amqp.Dial(amqptest.URL(s.t))
	if err != nil {
		s.t.Fatal(err)
	}
	return conn
}

func (s *speed) confirming(conn *amqp.Connection) *amqp.Channel {
	s.t.Helper()
	ch, err := conn.Channel()
	if err == nil {
		err = ch.Confirm(false)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	returns := ch.NotifyReturn(make(chan amqp.Return, 1))
	go func() { // ends with the channel
		for r := range returns {
			s.t.Errorf("%s was returned: %s", r.RoutingKey, r.ReplyText)
		}
	}()
	return ch
}

// subscribe has as many goroutines as a consumer has slots.
func (s *speed) subscribe(in, out *amqp.Connection, from, to string, outputs int) {
	s.t.Helper()
	ch, err := in.Channel()
	if err == nil {
		err = ch.Qos(rawPrefetch, 0, false)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	deliveries, err := ch.Consume(from, "", false, false, false, false, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	stage := byHand{s, s.confirming(out), to, outputs}
	for range s.slots {
		go func() { // ends with the channel
			for d := range deliveries {
				if err := stage.handle(d); err != nil {
					s.t.Error(err)
					return
				}
			}
		}()
	}
}

// handle acks a message when its outputs are confirmed.
func (b byHand) handle(d amqp.Delivery) error {
	var in speedRow
	if err := json.Unmarshal(d.Body, &in); err != nil {
		return err
	}
	flight := make([]*amqp.DeferredConfirmation, 0, b.outputs)
	for i := range b.outputs {
		c, err := b.publish(fmt.Sprint(d.MessageId, ".", i+1), speedOutput(in, i))
		if err != nil {
			return err
		}
		if flight = append(flight, c); len(flight) > rawWindow && !flight[len(flight)-1-rawWindow].Wait() {
			return errNacked
		}
	}
	for _, c := range flight {
		if !c.Wait() {
			return errNacked
		}
	}
	if err := d.Ack(false); err != nil {
		return err
	}
	b.handled()
	return nil
}

var errNacked = errors.New("an output was nacked")

func (b byHand) publish(id string, v speedRow) (*amqp.DeferredConfirmation, error) {
	return b.pub.PublishWithDeferredConfirm("", b.to, true, false, amqp.Publishing{
		ContentType: "application/json", DeliveryMode: amqp.Persistent, MessageId: id, Timestamp: time.Now(), Body: encoded(v),
	})
}
