package simulated_test

import (
	"fmt"
	"strconv"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/simulated"
	"github.com/bunnicula-go/bunnicula/internal/transport"
)

func init() { scripts = append(scripts, streamScripts...) }

// streamScripts are about streams.
var streamScripts = []script{
	{"a stream is read from an offset, by any number of readers", func(r *rig) {
		q, began := r.stream(nil), time.Now()
		for _, id := range []string{"a", "b", "c", "d"} { // each in a chunk of its own
			r.put(q, id)
		}
		for _, c := range []struct {
			from any
			want []string
		}{
			{"first", []string{"a", "b", "c", "d"}},
			{int64(0), []string{"a", "b", "c", "d"}},
			{int64(-1), []string{"a", "b", "c", "d"}},
			{int32(2), []string{"c", "d"}},
			{"last", []string{"d"}},
			{began.Add(-time.Hour), []string{"a", "b", "c", "d"}},
			{began.Add(time.Hour), nil},
			{"next", nil},
			{nil, nil},
			{int64(4), nil},
		} {
			ch := r.open()
			in := r.read(ch, q, "t", 10, c.from)
			for i, d := range r.take(in, c.want...) {
				if want := int64(4 - len(c.want) + i); d.Headers["x-stream-offset"] != want || d.Redelivered {
					r.Errorf("from %v: %+v, want offset %d", c.from, d, want)
				}
			}
			r.must(ch.Close())
		}
		next, later := r.read(r.open(), q, "t", 10, "next"), r.read(r.open(), q, "u", 10, int64(6))
		r.silence(next)
		r.put(q, "e")
		r.put(q, "f")
		r.put(q, "g")
		r.take(next, "e", "f", "g")
		r.take(later, "g")
	}},
	{"a stream keeps what is acked, and sends as much as is not", func(r *rig) {
		q := r.stream(nil)
		for i := range 8 {
			r.put(q, fmt.Sprint(i))
		}
		for range 2 {
			ch := r.open()
			in := r.read(ch, q, "t", 2, "first")
			r.take(in, "0", "1")
			if r.version != simulated.RabbitMQ3 { // which sends some more
				r.silence(in)
			}
			r.must(ch.Ack(2, true))
			r.take(in, "2", "3")
			r.must(ch.Close())
		}
		r.holds(q, 8)
	}},
	{"a broker does not tell who reads a stream", func(r *rig) {
		q := r.stream(nil)
		r.put(q, "a")
		r.take(r.read(r.open(), q, "t", 2, "first"), "a")
		ch := r.open()
		r.eventually(func() bool {
			found, err := ch.QueueDeclarePassive(q, true, false, false, false, nil)
			r.must(err)
			if found.Consumers != 0 {
				r.Fatalf("%+v", found)
			}
			return found.Messages == 1
		}, "it has no message")
	}},
	{"the properties of a record, and its exchange, are kept", func(r *rig) {
		q, exchange := r.stream(nil), r.prefix+"-exchange"
		ch, _ := r.confirming()
		r.must(ch.ExchangeDeclare(exchange, "direct", true, false, false, false, nil))
		r.must(ch.QueueBind(q, "key", exchange, false, nil))
		msg := amqp.Publishing{MessageId: "a", Type: "t", AppId: "app", ReplyTo: "back", UserId: r.session().User(), Headers: amqp.Table{"h": "v"}, Body: []byte("body"), Expiration: "1"}
		c, err := ch.Publish(exchange, "key", true, msg)
		r.must(err)
		if r.wait(c); !c.Acked() {
			r.Fatal("not acked")
		}
		d := r.take(r.read(r.open(), q, "t", 2, "first"), "a")[0]
		if d.Exchange != exchange || d.RoutingKey != "key" || d.Type != "t" || d.AppId != "app" || d.ReplyTo != "back" || d.UserId != msg.UserId ||
			d.Headers["h"] != "v" || string(d.Body) != "body" || d.Expiration != "1" {
			r.Errorf("%+v", d)
		}
	}},
	{"readers of a stream that is deleted are cancelled", func(r *rig) {
		q := r.stream(nil)
		r.put(q, "a")
		ch := r.open()
		cancels := ch.NotifyCancel(make(chan string, 1))
		in := r.read(ch, q, "t", 2, "first")
		r.take(in, "a")
		if n, err := r.open().QueueDelete(q, true, true, false); n != 0 || err != nil { // which a stream does not look at
			r.Fatal(n, err)
		}
		if tag := <-cancels; tag != r.prefix+"t" {
			r.Errorf("cancelled: %q", tag)
		}
		r.closed(in)
		ch = r.open()
		r.must(ch.Qos(1, 0, false))
		_, err := ch.Consume(q, r.prefix+"t", false, false, false, false, amqp.Table{"x-stream-offset": "first"})
		r.is(err, amqp.NotFound, "no queue '"+q+"'")
		r.stream(nil)
		r.put(q, "b")
		if d := r.take(r.read(r.open(), q, "t", 2, "first"), "b")[0]; d.Headers["x-stream-offset"] != int64(0) {
			r.Errorf("%+v", d.Headers)
		}
	}},
	{"what a stream does not do is refused", func(r *rig) {
		q := r.stream(nil)
		r.put(q, "a")
		from := amqp.Table{"x-stream-offset": "first"}
		_, err := r.open().Consume(q, r.prefix+"t", false, false, false, false, from)
		r.is(err, amqp.PreconditionFailed, "consumer prefetch count is not set")
		session := r.session()
		ch := r.openOn(session)
		r.must(ch.Qos(1, 0, false))
		_, err = ch.Consume(q, r.prefix+"t", true, false, false, false, from)
		r.is(err, amqp.NotImplemented, "automatic acknowledgement not supported by stream queue")
		<-session.Done()
		session = r.session()
		_, _, err = r.openOn(session).Get(q, true)
		r.is(err, amqp.NotImplemented, "basic.get not supported by stream queues")
		<-session.Done()
		session = r.session()
		ch = r.openOn(session)
		r.must(ch.Qos(1, 0, false))
		_, err = ch.Consume(q, r.prefix+"t", false, false, false, false, amqp.Table{"x-stream-offset": "bogus"})
		if r.version == simulated.RabbitMQ3 {
			r.is(err, amqp.InternalError, "INTERNAL_ERROR")
			<-session.Done()
		} else {
			r.is(err, amqp.PreconditionFailed, "invalid arg 'x-stream-offset'")
		}
		session = r.session()
		ch = r.openOn(session)
		closed := notices(ch)
		in := r.read(ch, q, "t", 1, "first")
		r.must(ch.Nack(r.take(in, "a")[0].DeliveryTag, false, true))
		if r.version == simulated.RabbitMQ3 {
			r.refused(closed, amqp.NotImplemented, "basic.nack and basic.reject not supported by stream queues")
			<-session.Done()
		} else {
			r.silence(in)
			r.put(q, "b")
			r.take(in, "b")
		}
		for arg, value := range map[string]any{"x-max-age": "604800", "x-message-ttl": int64(1), "x-max-length": int64(1), "x-single-active-consumer": true} {
			_, err := r.open().QueueDeclare(r.prefix+"-b", true, false, false, false, amqp.Table{"x-queue-type": "stream", arg: value})
			r.is(err, amqp.PreconditionFailed, "invalid arg '"+arg+"'")
		}
		_, err = r.open().QueueDeclare(r.prefix+"-b", false, false, false, false, amqp.Table{"x-queue-type": "stream"})
		r.is(err, amqp.PreconditionFailed, "invalid property 'non-durable'")
		_, err = r.open().QueueDeclare(q, true, false, false, false, amqp.Table{"x-queue-type": "stream", "x-max-age": "6s"})
		r.is(err, amqp.PreconditionFailed, "inequivalent arg 'x-max-age'")
	}},
	{"a stream drops whole segments that are old when another one begins", func(r *rig) {
		q := r.stream(amqp.Table{"x-max-age": "1s", "x-stream-max-segment-size-bytes": int64(2000)})
		ch, _ := r.confirming()
		put := func(from, n int) {
			for i := range n {
				c, err := ch.Publish("", q, true, amqp.Publishing{MessageId: fmt.Sprint(from + i), Body: make([]byte, 500)})
				r.must(err)
				r.wait(c)
			}
		}
		put(0, 20)
		time.Sleep(2500 * time.Millisecond) // the broker's own time
		if d := r.first(q); d.MessageId != "0" {
			r.Errorf("begins with %s: dropped without a new segment", d.MessageId)
		}
		put(20, 10)
		r.eventually(func() bool { n, _ := strconv.Atoi(r.first(q).MessageId); return n >= 12 && n <= 20 }, "what is old was not dropped")
		d := r.first(q)
		offset, _ := d.Headers["x-stream-offset"].(int64)
		if fmt.Sprint(offset) == d.MessageId {
			r.Errorf("message %s has offset %d: a segment takes one for itself", d.MessageId, offset)
		}
		rest := r.read(r.open(), q, "v", 100, int64(3)) // which is gone
		if got := <-rest; got.MessageId != d.MessageId {
			r.Errorf("from 3: %s, want %s", got.MessageId, d.MessageId)
		}
	}},
}

// stream declares a stream of the script's own.
func (r *rig) stream(more amqp.Table) string {
	r.Helper()
	args := amqp.Table{"x-queue-type": "stream", "x-max-age": "604800s", "x-stream-max-segment-size-bytes": int64(1 << 20)}
	for k, v := range more {
		args[k] = v
	}
	ch := r.open()
	_, err := ch.QueueDeclare(r.prefix, true, false, false, false, args)
	r.must(err)
	r.must(ch.Close())
	return r.prefix
}

// read subscribes to a stream.
func (r *rig) read(ch transport.Channel, queue, tag string, prefetch int, from any) <-chan amqp.Delivery {
	r.Helper()
	r.must(ch.Qos(prefetch, 0, false))
	args := amqp.Table{}
	if from != nil {
		args["x-stream-offset"] = from
	}
	in, err := ch.Consume(queue, r.prefix+tag, false, false, false, false, args)
	r.must(err)
	return in
}

// first is the first message of a stream.
func (r *rig) first(queue string) amqp.Delivery {
	r.Helper()
	ch := r.open()
	defer func() { r.must(ch.Close()) }()
	return <-r.read(ch, queue, "first", 1, "first")
}
