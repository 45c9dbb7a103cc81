package simulated_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/simulated"
)

// script is one of them.
type script struct {
	name string
	run  func(*rig)
}

// scripts are what both brokers, the simulated and the real one, must do.
var scripts = []script{
	{"delivery tags are each channel's own, and start at 1", func(r *rig) {
		q := r.queue("", nil)
		r.put(q, "a", "b", "c")
		for _, tag := range []string{"first", "second"} {
			ch := r.open()
			in := r.consume(ch, q, tag, 0)
			for i, d := range r.take(in, "a", "b", "c") {
				if d.DeliveryTag != uint64(i+1) || d.RoutingKey != q || d.Exchange != "" {
					r.Errorf("delivery %d: %+v", i+1, d)
				}
			}
			r.must(ch.Close())
		}
	}},
	{"the first delivery has no count", func(r *rig) {
		q := r.queue("", nil)
		r.put(q, "a")
		if d := r.take(r.consume(r.open(), q, "t", 0), "a")[0]; count(d) != -1 || d.Redelivered {
			r.Errorf("count %d, redelivered %v", count(d), d.Redelivered)
		}
	}},
	{"a prefetch is fixed when the consumer is made", func(r *rig) {
		q := r.queue("", nil)
		r.put(q, "a", "b", "c", "d")
		ch := r.open()
		in := r.consume(ch, q, "one", 1)
		r.take(in, "a")
		r.silence(in)
		r.must(ch.Qos(3, 0, false))
		r.silence(in)
		r.must(ch.Ack(1, false))
		r.take(in, "b")
		r.silence(in)
		other, err := ch.Consume(q, r.prefix+"two", false, false, false, false, nil)
		r.must(err)
		r.take(other, "c", "d") // the prefetch is each consumer's
	}},
	{"consumers of a queue take turns", func(r *rig) {
		q := r.queue("", nil)
		a, b := r.open(), r.open()
		one, two := r.consume(a, q, "one", 10), r.consume(b, q, "two", 10)
		r.put(q, "a", "b", "c", "d")
		got := []string{}
		for _, in := range []<-chan amqp.Delivery{one, two} {
			for range 2 {
				select {
				case d := <-in:
					got = append(got, d.MessageId)
				case <-time.After(10 * time.Second):
					r.Fatalf("only %v", got)
				}
			}
		}
		slices.Sort(got)
		if !slices.Equal(got, []string{"a", "b", "c", "d"}) {
			r.Errorf("got %v", got)
		}
	}},
	{"a cancel hands on what has come and keeps what is unacked", func(r *rig) {
		q := r.queue("", nil)
		r.put(q, "a", "b", "c")
		ch := r.open()
		in := r.consume(ch, q, "t", 2)
		r.take(in, "a")
		r.silenceElsewhere()
		left := make(chan []string, 1)
		go func() {
			var ids []string
			for d := range in {
				ids = append(ids, d.MessageId)
			}
			left <- ids
		}()
		r.must(ch.Cancel(r.prefix+"t", false))
		if ids := <-left; !slices.Equal(ids, []string{"b"}) {
			r.Errorf("the cancel handed on %v", ids)
		}
		r.holds(q, 1)
		r.must(ch.Ack(1, false))
		r.must(ch.Close())
		r.holds(q, 2) // b is back
	}},
	{"on 4.0 a consumer tag that is used again has its old deliveries on its account", func(r *rig) {
		if r.version == simulated.RabbitMQ3 {
			return // see below
		}
		q := r.queue("", nil)
		r.put(q, "a", "b", "c", "d")
		ch := r.open()
		r.take(r.consume(ch, q, "t", 2), "a", "b")
		r.must(ch.Cancel(r.prefix+"t", false))
		in := r.consume(ch, q, "t", 2)
		r.silence(in)
		r.must(ch.Ack(1, false))
		r.take(in, "c")
		r.silence(in)
	}},
	{"on 3.10 it ends the connection", func(r *rig) {
		q := r.queue("", nil)
		r.put(q, "a", "b")
		session := r.session()
		ch, err := session.Channel(context.Background())
		r.must(err)
		closed := notices(ch)
		r.take(r.consume(ch, q, "t", 1), "a")
		r.must(ch.Cancel(r.prefix+"t", false))
		r.must(ch.Qos(2, 0, false))
		in, err := ch.Consume(q, r.prefix+"t", false, false, false, false, nil)
		if r.version != simulated.RabbitMQ3 {
			r.must(err)
			r.take(in, "b")
			return
		}
		if err != nil {
			r.is(err, 541, "INTERNAL_ERROR")
		}
		r.refused(closed, 541, "INTERNAL_ERROR")
		<-session.Done()
		r.is(session.Err(), 541, "INTERNAL_ERROR")
		r.holds(q, 2)
	}},
	{"an ack can be of many", func(r *rig) {
		q := r.queue("", nil)
		r.put(q, "a", "b", "c", "d")
		ch := r.open()
		r.take(r.consume(ch, q, "t", 0), "a", "b", "c", "d")
		r.must(ch.Ack(2, true))
		r.must(ch.Close())
		r.holds(q, 2)
		ch = r.open()
		r.take(r.consume(ch, q, "u", 0), "c", "d")
		r.must(ch.Ack(0, true)) // all
		r.must(ch.Close())
		r.holds(q, 0)
	}},
	{"a nack of many gives them back in their order, at the head", func(r *rig) {
		q := r.queue("", amqp.Table{"x-delivery-limit": int64(100)})
		r.put(q, "a", "b", "c", "d")
		ch := r.open()
		in := r.consume(ch, q, "t", 3)
		r.take(in, "a", "b", "c")
		r.must(ch.Nack(2, true, true))
		counted := int64(1)
		if r.version == simulated.RabbitMQ43 {
			counted = -1
		}
		for _, d := range r.take(in, "a", "b") {
			if count(d) != counted || !d.Redelivered {
				r.Errorf("%s: count %d, redelivered %v", d.MessageId, count(d), d.Redelivered)
			}
		}
	}},
	{"a reject that requeues counts", func(r *rig) {
		q := r.queue("", amqp.Table{"x-delivery-limit": int64(100)})
		r.put(q, "a")
		ch := r.open()
		in := r.consume(ch, q, "t", 1)
		for n := range uint64(3) {
			if d := r.take(in, "a")[0]; max(count(d), 0) != int64(n) {
				r.Errorf("count %d after %d rejects", count(d), n)
			}
			r.must(ch.Reject(n+1, true))
		}
	}},
	{"what is given back comes in the order in which it was given back", func(r *rig) {
		q := r.queue("", amqp.Table{"x-delivery-limit": int64(100)})
		r.put(q, "a", "b", "c", "d")
		ch := r.open()
		in := r.consume(ch, q, "t", 3)
		r.take(in, "a", "b", "c")
		r.must(ch.Cancel(r.prefix+"t", false))
		r.must(ch.Nack(3, false, true))
		r.must(ch.Nack(1, false, true))
		r.holds(q, 3)
		r.take(r.consume(ch, q, "u", 0), "c", "a", "d")
	}},
	{"without a limit of deliveries it goes to the tail, on 3.10", func(r *rig) {
		q := r.queue("", nil)
		r.put(q, "a", "b")
		ch := r.open()
		in := r.consume(ch, q, "t", 1)
		r.take(in, "a")
		r.must(ch.Nack(1, false, true))
		if r.version == simulated.RabbitMQ3 {
			r.take(in, "b")
		} else {
			r.take(in, "a")
		}
	}},
	{"the end of a channel gives back in order, at the head, and counts", func(r *rig) {
		q := r.queue("", nil)
		r.put(q, "a", "b", "c")
		ch := r.open()
		r.take(r.consume(ch, q, "t", 2), "a", "b")
		r.must(ch.Close())
		r.put(q, "d")
		ch = r.open()
		for i, d := range r.take(r.consume(ch, q, "u", 0), "a", "b", "c", "d") {
			if was := i < 2; d.Redelivered != was || was && count(d) != 1 {
				r.Errorf("%s: count %d, redelivered %v", d.MessageId, count(d), d.Redelivered)
			}
		}
	}},
	{"prefetched messages that nobody took are counted too", func(r *rig) {
		q := r.queue("", nil)
		r.put(q, "a")
		for round := range int64(3) {
			ch := r.open()
			r.consume(ch, q, "t"+string(rune('a'+round)), 0)
			r.holds(q, 0)
			r.must(ch.Close())
			r.holds(q, 1)
		}
		if d := r.take(r.consume(r.open(), q, "u", 0), "a")[0]; count(d) != 3 {
			r.Errorf("count %d", count(d))
		}
	}},
	{"an ack of a tag that is not there closes the channel", func(r *rig) {
		q := r.queue("", nil)
		r.put(q, "a", "b")
		for _, tags := range [][]uint64{{3}, {1, 1}} {
			ch := r.open()
			closed := notices(ch)
			in := r.consume(ch, q, "t"+string(rune('a'+len(tags))), 0)
			r.take(in, map[int][]string{1: {"a", "b"}, 2: {"a", "b"}}[len(tags)]...)
			for _, tag := range tags {
				r.must(ch.Ack(tag, false))
			}
			r.refused(closed, amqp.PreconditionFailed, "unknown delivery tag")
			r.closed(in)
			if !ch.IsClosed() || !errors.Is(ch.Ack(2, false), amqp.ErrClosed) {
				r.Error("it takes acks")
			}
		}
		r.holds(q, 1)
	}},
	{"past its limit of deliveries a message is dead-lettered", func(r *rig) {
		dead := r.queue("-error", nil)
		args := deadLetterTo(dead)
		args["x-delivery-limit"] = int64(2)
		q := r.queue("", args)
		r.put(q, "a", "b")
		ch := r.open()
		in := r.consume(ch, q, "t", 1)
		for i := range uint64(3) {
			r.take(in, "a")
			r.must(ch.Reject(i+1, true))
		}
		r.take(in, "b")
		d := r.take(r.consume(r.open(), dead, "u", 0), "a")[0]
		known := !d.Redelivered || r.version == simulated.RabbitMQ43 // which keeps the counts of the queue before
		if !known || d.RoutingKey != dead || death(d, "reason") != "delivery_limit" || death(d, "queue") != q {
			r.Errorf("%+v", d)
		}
	}},
	{"a reject is dead-lettered", func(r *rig) {
		dead := r.queue("-error", nil)
		q := r.queue("", deadLetterTo(dead))
		r.put(q, "a")
		ch := r.open()
		r.take(r.consume(ch, q, "t", 1), "a")
		r.must(ch.Nack(1, false, false))
		if d := r.take(r.consume(r.open(), dead, "u", 0), "a")[0]; death(d, "reason") != "rejected" {
			r.Errorf("%+v", d)
		}
	}},
	{"what waits long enough is dead-lettered, in order", func(r *rig) {
		q := r.queue("", nil)
		args := deadLetterTo(q)
		args["x-message-ttl"] = int64(300)
		retry := r.queue("-retry-300ms", args)
		began := time.Now()
		r.put(retry, "a", "b")
		for i, d := range r.take(r.consume(r.open(), q, "t", 0), "a", "b") {
			if took := time.Since(began); took < 300*time.Millisecond {
				r.Errorf("after %s", took)
			}
			if d.Redelivered || count(d) > 0 || death(d, "reason") != "expired" || d.RoutingKey != q || d.DeliveryTag != uint64(i+1) {
				r.Errorf("%+v", d)
			}
		}
	}},
	{"a dead letter without a place is kept, and not counted", func(r *rig) {
		args := deadLetterTo(r.prefix + "-error")
		q := r.queue("", args)
		r.put(q, "a")
		ch := r.open()
		r.take(r.consume(ch, q, "t", 1), "a")
		r.must(ch.Nack(1, false, false))
		r.holds(q, 0)
	}},
	{"a return comes before its confirm, which is an ack", func(r *rig) {
		ch, returns := r.confirming()
		stamp := time.Now().UTC()
		c, err := ch.Publish("", r.prefix+"-none", true, amqp.Publishing{MessageId: "a", Body: []byte("b"), Timestamp: stamp, Headers: amqp.Table{"h": int64(1)}})
		r.must(err)
		r.wait(c)
		if !c.Acked() || len(returns) != 1 {
			r.Fatalf("acked %v, %d returns", c.Acked(), len(returns))
		}
		back := <-returns
		if back.ReplyCode != amqp.NoRoute || back.ReplyText != "NO_ROUTE" || back.MessageId != "a" || string(back.Body) != "b" || back.RoutingKey != r.prefix+"-none" ||
			!back.Timestamp.Equal(stamp.Truncate(time.Second)) || back.Headers["h"] != int64(1) {
			r.Errorf("%+v", back)
		}
	}},
	{"what is not mandatory and has no queue is acked and lost", func(r *rig) {
		ch, returns := r.confirming()
		c, err := ch.Publish("", r.prefix+"-none", false, amqp.Publishing{MessageId: "a"})
		r.must(err)
		r.wait(c)
		if !c.Acked() || len(returns) != 0 {
			r.Errorf("acked %v, %d returns", c.Acked(), len(returns))
		}
	}},
	{"a full queue that rejects what is published nacks", func(r *rig) {
		q := r.queue("", amqp.Table{"x-max-length": int64(3), "x-overflow": "reject-publish"})
		ch, returns := r.confirming()
		for i := range 1000 { // a real limit is soft
			c, err := ch.Publish("", q, true, amqp.Publishing{})
			r.must(err)
			if r.wait(c); !c.Acked() {
				if i < 3 || len(returns) != 0 || ch.IsClosed() {
					r.Errorf("number %d, %d returns", i, len(returns))
				}
				return
			}
		}
		r.Error("no nack")
	}},
	{"a missing exchange closes the channel, and no fate is known", func(r *rig) {
		ch, returns := r.confirming()
		closed := notices(ch)
		c, err := ch.Publish(r.prefix+"-none", "k", true, amqp.Publishing{})
		r.must(err)
		r.refused(closed, amqp.NotFound, "no exchange '"+r.prefix+"-none'")
		r.wait(c)
		if c.Acked() {
			r.Error("acked")
		}
		if _, open := <-returns; open {
			r.Error("a return")
		}
		if _, err := ch.Publish("", "k", true, amqp.Publishing{}); !errors.Is(err, amqp.ErrClosed) {
			r.Errorf("publish on a closed channel: %v", err)
		}
		r.must(r.session().Err()) // the connection lives
	}},
	{"a foreign user id closes the channel, before its neighbours behind it are taken", func(r *rig) {
		q := r.queue("", nil)
		ch, _ := r.confirming()
		closed := notices(ch)
		_, err := ch.Publish("", q, true, amqp.Publishing{UserId: "somebody-else"})
		r.must(err)
		c, err := ch.Publish("", q, true, amqp.Publishing{})
		if err == nil {
			if r.wait(c); c.Acked() {
				r.Error("the neighbour is acked")
			}
		}
		r.refused(closed, amqp.PreconditionFailed, "user_id")
		r.holds(q, 0)
	}},
	{"one's own close ends everything, without a reason", func(r *rig) {
		q := r.queue("", nil)
		ch, returns := r.confirming()
		closed, cancels := notices(ch), ch.NotifyCancel(make(chan string, 1))
		in := r.consume(ch, q, "t", 1)
		r.must(ch.Close())
		r.closed(in)
		e, isOpen := <-closed
		_, isCancel := <-cancels
		_, isReturn := <-returns
		if e != nil || isOpen || isCancel || isReturn || !ch.IsClosed() {
			r.Errorf("%v %v %v %v", e, isOpen, isCancel, isReturn)
		}
		if _, open := <-notices(ch); open {
			r.Error("a notice that comes too late is open")
		}
		r.must(ch.Close()) // again
	}},
	{"other arguments are refused, and equal ones are not", func(r *rig) {
		q := r.queue("", amqp.Table{"x-message-ttl": int64(1000)})
		r.queue("", amqp.Table{"x-message-ttl": int64(1000)})
		ch := r.open()
		closed := notices(ch)
		_, err := ch.QueueDeclare(q, true, false, false, false, quorum(amqp.Table{"x-message-ttl": int64(2000)}))
		r.is(err, amqp.PreconditionFailed, "inequivalent arg 'x-message-ttl' for queue '"+q+"'")
		if !strings.Contains(err.Error(), "'2000'") || !strings.Contains(err.Error(), "'1000'") {
			r.Error(err)
		}
		r.refused(closed, amqp.PreconditionFailed, "inequivalent arg")
		r.must(r.session().Err())
	}},
	{"a missing queue is refused", func(r *rig) {
		ch := r.open()
		_, err := ch.QueueDeclarePassive(r.prefix, true, false, false, false, nil)
		r.is(err, amqp.NotFound, "no queue '"+r.prefix+"'")
		ch = r.open()
		_, err = ch.Consume(r.prefix, "t", false, false, false, false, nil)
		r.is(err, amqp.NotFound, "no queue '"+r.prefix+"'")
		if _, err := ch.QueueDeclare(r.prefix, true, false, false, false, nil); !errors.Is(err, amqp.ErrClosed) {
			r.Errorf("declare on a closed channel: %v", err)
		}
	}},
	{"a passive declare tells the depth", func(r *rig) {
		q := r.queue("", nil)
		r.put(q, "a", "b")
		r.holds(q, 2)
		state, err := r.open().QueueDeclarePassive(q, true, false, false, false, nil)
		if r.must(err); state.Messages != 2 {
			r.Errorf("%d messages", state.Messages)
		}
	}},
	{"who consumes a queue that is deleted is told", func(r *rig) {
		q := r.queue("", nil)
		r.put(q, "a", "b")
		ch := r.open()
		cancels := ch.NotifyCancel(make(chan string, 1))
		in := r.consume(ch, q, "t", 1)
		r.take(in, "a")
		r.delete(q)
		select {
		case tag := <-cancels:
			if tag != r.prefix+"t" {
				r.Errorf("told %q", tag)
			}
		case <-time.After(10 * time.Second):
			r.Fatal("not told")
		}
		r.closed(in)
		r.must(ch.Ack(1, false)) // of what is no more
		if err := ch.Qos(1, 0, false); err != nil {
			r.Errorf("the channel does not live: %v", err)
		}
	}},
	{"of a queue with a single active consumer the first takes all", func(r *rig) {
		q := r.queue("", amqp.Table{"x-single-active-consumer": true})
		a, b := r.open(), r.open()
		first := r.consume(a, q, "one", 1)
		second := r.consume(b, q, "two", 1)
		r.put(q, "a", "b")
		r.take(first, "a")
		r.silence(second)
		r.must(a.Close())
		r.take(second, "a")
	}},
	{"a direct exchange routes by its bindings", func(r *rig) {
		q := r.queue("", nil)
		exchange := r.prefix + "-exchange"
		ch, returns := r.confirming()
		r.must(ch.ExchangeDeclare(exchange, "direct", true, false, false, false, nil))
		r.must(ch.QueueBind(q, "key", exchange, false, nil))
		for _, key := range []string{"key", "other"} {
			c, err := ch.Publish(exchange, key, true, amqp.Publishing{MessageId: key})
			r.must(err)
			r.wait(c)
		}
		if len(returns) != 1 || (<-returns).RoutingKey != "other" {
			r.Error("want the return of the other")
		}
		if d := r.take(r.consume(r.open(), q, "t", 0), "key")[0]; d.Exchange != exchange || d.RoutingKey != "key" {
			r.Errorf("%+v", d)
		}
		other := r.open()
		r.is(other.QueueBind(q, "key", exchange+"-none", false, nil), amqp.NotFound, "no exchange")
	}},
	{"what a message carries comes back as it was", func(r *rig) {
		q := r.queue("", nil)
		ch, _ := r.confirming()
		sent := amqp.Publishing{
			Headers: amqp.Table{"s": "x", "n": int64(7), "t": amqp.Table{"b": true}}, ContentType: "text/plain", ContentEncoding: "none", DeliveryMode: 2,
			Priority: 3, CorrelationId: "c", ReplyTo: "r", MessageId: "m", Timestamp: time.Unix(1_700_000_000, 0), Type: "t", AppId: "a", Body: []byte("body"),
		}
		c, err := ch.Publish("", q, true, sent)
		r.must(err)
		r.wait(c)
		d := r.take(r.consume(r.open(), q, "t", 0), "m")[0]
		delete(d.Headers, "x-delivery-count")
		if d.Headers["s"] != "x" || d.Headers["n"] != int64(7) || d.Headers["t"].(amqp.Table)["b"] != true || len(d.Headers) != 3 ||
			d.ContentType != sent.ContentType || d.ContentEncoding != sent.ContentEncoding || d.DeliveryMode != 2 || d.Priority != 3 || d.CorrelationId != "c" ||
			d.ReplyTo != "r" || d.MessageId != "m" || !d.Timestamp.Equal(sent.Timestamp) || d.Type != "t" || d.AppId != "a" || string(d.Body) != "body" || d.ConsumerTag != r.prefix+"t" {
			r.Errorf("%+v", d)
		}
	}},
	{"basic.get takes the next message, which is unacked like any other", func(r *rig) {
		q := r.queue("", nil)
		ch := r.open()
		closed := notices(ch)
		if _, ok, err := ch.Get(q, false); ok || err != nil {
			r.Errorf("of an empty queue: %v, %v", ok, err)
		}
		r.put(q, "a", "b", "c")
		for round := range int64(2) {
			for i, id := range []string{"a", "b"} {
				d, ok, err := ch.Get(q, false)
				r.must(err)
				if !ok || d.MessageId != id || d.DeliveryTag != uint64(i+1) || max(count(d), 0) != round || d.Redelivered != (round > 0) {
					r.Errorf("got %v: %+v", ok, d)
				}
			}
			r.must(ch.Close())
			r.holds(q, 3)
			ch = r.open()
			closed = notices(ch)
		}
		_, _, err := ch.Get(q, false)
		r.must(err)
		r.must(ch.Ack(1, false))
		r.must(ch.Ack(1, false))
		r.refused(closed, amqp.PreconditionFailed, "unknown delivery tag")
		r.holds(q, 2)
	}},
	{"an ack of many up to one that is acked already closes the channel", func(r *rig) {
		q := r.queue("", nil)
		r.put(q, "a", "b", "c")
		ch := r.open()
		closed := notices(ch)
		r.take(r.consume(ch, q, "t", 0), "a", "b", "c")
		r.must(ch.Ack(2, false))
		r.must(ch.Ack(2, true))
		r.refused(closed, amqp.PreconditionFailed, "unknown delivery tag")
		r.holds(q, 2)
	}},
	{"basic.get of a missing queue closes the channel", func(r *rig) {
		_, _, err := r.open().Get(r.prefix, false)
		r.is(err, amqp.NotFound, "no queue '"+r.prefix+"'")
	}},
	{"confirms come for every message of a burst", func(r *rig) {
		q := r.queue("", nil)
		ids := make([]string, 200)
		for i := range ids {
			ids[i] = "m" + strings.Repeat("x", i)
		}
		r.put(q, ids...)
		r.holds(q, len(ids))
		r.take(r.consume(r.open(), q, "t", 0), ids...)
	}},
}

// silenceElsewhere lets the broker send what it has.
func (r *rig) silenceElsewhere() { time.Sleep(200 * time.Millisecond) }

// death is what the newest entry of x-death says.
func death(d amqp.Delivery, what string) any {
	if all, ok := d.Headers["x-death"].([]any); ok && len(all) > 0 {
		if table, ok := all[0].(amqp.Table); ok {
			return table[what]
		}
	}
	return nil
}
