//go:build unix

package faults_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/topology"
)

// direct is a connection to the broker without faults: it declares queues and counts messages. It
// dials again after a lost connection.
type direct struct {
	urls []string
	name string

	mu   sync.Mutex
	conn *amqp.Connection
}

// with calls use with a channel that only use has.
func (d *direct) with(use func(*amqp.Channel) error) error {
	conn, err := d.dial()
	if err != nil {
		return err
	}
	ch, err := conn.Channel()
	if err != nil {
		return err
	}
	defer func() { _ = ch.Close() }()
	return use(ch)
}

func (d *direct) dial() (*amqp.Connection, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.conn != nil && !d.conn.IsClosed() {
		return d.conn, nil
	}
	var all error
	for _, url := range d.urls {
		conn, err := amqp.DialConfig(url, amqp.Config{
			Heartbeat:  10 * time.Second,
			Dial:       amqp.DefaultDial(5 * time.Second),
			Properties: amqp.Table{"connection_name": d.name},
		})
		if err == nil {
			d.conn = conn
			return conn, nil
		}
		all = errors.Join(all, err)
	}
	return nil, all
}

func (d *direct) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.conn != nil {
		// A killed broker does not answer.
		_ = d.conn.CloseDeadline(time.Now().Add(5 * time.Second))
	}
}

// version returns the broker's version, such as "3.10.8".
func (d *direct) version() string {
	conn, err := d.dial()
	if err != nil {
		return ""
	}
	version, _ := conn.Properties["version"].(string)
	return version
}

// declare tries for a while: a broker that has just started may not have leaders for its queues
// yet.
func (d *direct) declare(t testing.TB, top topology.Topology) {
	t.Helper()
	end := time.Now().Add(10 * time.Second)
	for {
		err := d.with(func(ch *amqp.Channel) error { return top.Declare(ch) })
		if err == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("declare: %v", err)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// look returns how many messages of a queue are ready, and how many consumers the queue has.
func (d *direct) look(queue string) (ready, consumers int, err error) {
	err = d.with(func(ch *amqp.Channel) error {
		q, err := ch.QueueDeclarePassive(queue, true, false, false, false, nil)
		ready, consumers = q.Messages, q.Consumers
		return err
	})
	return ready, consumers, err
}

// drain takes all messages of a queue. AMQP's get does not work for a quorum queue with a single
// active consumer, so such a queue must be empty.
func (d *direct) drain(queue string) ([]amqp.Delivery, error) {
	var all []amqp.Delivery
	err := d.with(func(ch *amqp.Channel) error {
		for {
			m, ok, err := ch.Get(queue, true)
			if err != nil || !ok {
				return err
			}
			all = append(all, m)
		}
	})
	var refused *amqp.Error
	if errors.As(err, &refused) && refused.Code == amqp.ResourceLocked {
		if ready, _, e := d.look(queue); e == nil && ready == 0 {
			return nil, nil
		}
	}
	return all, err
}

func (d *direct) delete(queues ...string) error {
	return d.with(func(ch *amqp.Channel) error {
		var all error
		for _, queue := range queues {
			_, err := ch.QueueDelete(queue, false, false, false)
			all = errors.Join(all, err)
		}
		return all
	})
}
