package simulated_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/simulated"
	"github.com/bunnicula-go/bunnicula/internal/transport"
)

func init() { scripts = append(scripts, appScripts...) }

// appScripts are about what whole apps do beside publishing to a queue and consuming it.
var appScripts = []script{
	{"a topic exchange matches word by word", func(r *rig) {
		for pattern, want := range map[string][]string{
			"order.*.eu": {"order.new.eu"},
			"order.#":    {"order", "order.new", "order.new.eu"},
			"#.eu":       {"order.new.eu"},
			"*":          {"order"}, // no key has no word
			"#":          {"", "order", "order.new", "order.new.eu"},
			"order.new":  {"order.new"},
			"*.*":        {"order.new"},
			"#.new.#":    {"order.new", "order.new.eu"},
		} {
			r.routes("topic", pattern, nil, []string{"", "order", "order.new", "order.new.eu"}, want)
		}
	}},
	{"a queue may have several keys, and a message that fits two of them comes once", func(r *rig) {
		q, exchange := r.queue("", nil), r.prefix+"-exchange"
		ch, _ := r.confirming()
		r.must(ch.ExchangeDeclare(exchange, "topic", true, false, false, false, nil))
		for _, key := range []string{"a.*", "*.b", "c"} {
			r.must(ch.QueueBind(q, key, exchange, false, nil))
		}
		for _, key := range []string{"a.b", "a.x", "x.b", "c"} {
			c, err := ch.Publish(exchange, key, true, amqp.Publishing{MessageId: key})
			r.must(err)
			r.wait(c)
		}
		in := r.consume(r.open(), q, "t", 0)
		r.take(in, "a.b", "a.x", "x.b", "c")
		r.silence(in)
	}},
	{"a fanout exchange looks at no key", func(r *rig) {
		r.routes("fanout", "this", nil, []string{"this", "that"}, []string{"this", "that"})
	}},
	{"a headers exchange compares with the arguments of a binding", func(r *rig) {
		for _, test := range []struct {
			arguments amqp.Table
			want      []string
		}{
			{amqp.Table{"x-match": "all", "a": int64(1), "b": "x"}, []string{"both", "more"}},
			{amqp.Table{"a": int64(1), "b": "x"}, []string{"both", "more"}},
			{amqp.Table{"x-match": "any", "a": int32(1), "b": "x"}, []string{"both", "more", "one"}},
			{amqp.Table{"x-match": "all"}, []string{"both", "more", "none", "one"}},
			{amqp.Table{"x-match": "any"}, []string{}},
			{amqp.Table{"x-match": "all", "x-a": "2", "b": "x"}, []string{"both", "more"}},
			{amqp.Table{"x-match": "all-with-x", "x-a": "2", "b": "x"}, []string{}},
			{amqp.Table{"x-match": "all-with-x", "x-a": "1", "b": "x"}, []string{"more"}},
			{amqp.Table{"x-match": "any-with-x", "x-a": "1", "b": "y"}, []string{"more"}},
			{amqp.Table{"x-match": "all", "a": nil}, []string{"both", "more", "one"}},
		} {
			r.routes("headers", "", test.arguments, []string{"both", "one", "more", "none"}, test.want)
		}
	}},
	{"an exchange of another kind is refused", func(r *rig) {
		exchange := r.prefix + "-exchange"
		r.must(r.open().ExchangeDeclare(exchange, "topic", true, false, false, false, nil))
		r.must(r.open().ExchangeDeclare(exchange, "topic", true, false, false, false, nil))
		r.is(r.open().ExchangeDeclare(exchange, "fanout", true, false, false, false, nil), amqp.PreconditionFailed, "inequivalent arg 'type'")
		r.is(r.open().ExchangeDeclare(exchange, "topic", false, false, false, false, nil), amqp.PreconditionFailed, "inequivalent arg 'durable'")
		r.is(r.open().ExchangeDeclare(exchange, "topic", true, true, false, false, nil), amqp.PreconditionFailed, "inequivalent arg 'auto_delete'")
		r.must(r.open().ExchangeDeclarePassive(exchange, "direct", true, false, false, false, nil)) // looks at the name only
		r.is(r.open().ExchangeDeclarePassive(exchange+"-none", "direct", true, false, false, false, nil), amqp.NotFound, "no exchange")
	}},
	{"names that are the broker's are refused", func(r *rig) {
		_, err := r.open().QueueDeclare("amq."+r.prefix, true, false, false, false, quorum(nil))
		r.is(err, amqp.AccessRefused, "reserved prefix")
		r.is(r.open().ExchangeDeclare("amq."+r.prefix, "direct", true, false, false, false, nil), amqp.AccessRefused, "reserved prefix")
		q := r.queue("", nil)
		r.must(r.open().QueueBind(q, q, "amq.topic", false, nil)) // which is there
		r.is(r.open().QueueBind(q, q, "", false, nil), amqp.AccessRefused, "default exchange")
	}},
	{"an exclusive queue is its connection's, and ends with it", func(r *rig) {
		q := r.prefix
		link := r.conn.Dedicated("another")
		another := r.sessionOf(link)
		_, err := r.openOn(another).QueueDeclare(q, false, true, true, false, amqp.Table{"x-queue-type": "classic"})
		r.must(err)
		_, err = r.openOn(another).QueueDeclare(q, false, true, true, false, amqp.Table{"x-queue-type": "classic"})
		r.must(err) // again
		for what, ask := range map[string]func(transport.Channel) error{
			"declare": func(ch transport.Channel) error {
				_, err := ch.QueueDeclare(q, false, true, true, false, amqp.Table{"x-queue-type": "classic"})
				return err
			},
			"passive": func(ch transport.Channel) error {
				_, err := ch.QueueDeclarePassive(q, false, true, true, false, nil)
				return err
			},
			"delete": func(ch transport.Channel) error { _, err := ch.QueueDelete(q, false, false, false); return err },
			"get":    func(ch transport.Channel) error { _, _, err := ch.Get(q, true); return err },
			"bind":   func(ch transport.Channel) error { return ch.QueueBind(q, "k", "amq.direct", false, nil) },
			"consume": func(ch transport.Channel) error {
				_, err := ch.Consume(q, "t", false, false, false, false, nil)
				return err
			},
		} {
			if err := ask(r.open()); err == nil {
				r.Errorf("%s is allowed", what)
			} else {
				r.is(err, amqp.ResourceLocked, "exclusive access to locked queue '"+q+"'")
			}
		}
		r.put(q, "a") // anybody may publish to it
		link.Close(context.Background())
		r.gone(q)
	}},
	{"a queue that is not exclusive is not declared as one", func(r *rig) {
		q := r.classic("", nil)
		_, err := r.open().QueueDeclare(q, true, false, true, false, amqp.Table{"x-queue-type": "classic"})
		r.is(err, amqp.ResourceLocked, "locked queue '"+q+"'")
		_, err = r.open().QueueDeclare(q, true, true, false, false, amqp.Table{"x-queue-type": "classic"})
		r.is(err, amqp.PreconditionFailed, "inequivalent arg 'auto_delete'")
	}},
	{"a quorum queue is durable, and nobody's own", func(r *rig) {
		_, err := r.open().QueueDeclare(r.prefix, true, false, true, false, quorum(nil))
		r.is(err, amqp.PreconditionFailed, "invalid property 'exclusive-owner'")
		_, err = r.open().QueueDeclare(r.prefix, false, false, false, false, quorum(nil))
		r.is(err, amqp.PreconditionFailed, "invalid property 'non-durable'")
	}},
	{"a queue that deletes itself goes with its last consumer", func(r *rig) {
		q := r.prefix
		_, err := r.open().QueueDeclare(q, true, true, false, false, amqp.Table{"x-queue-type": "classic"})
		r.must(err)
		a, b := r.open(), r.open()
		r.consume(a, q, "one", 1)
		r.consume(b, q, "two", 1)
		r.must(a.Cancel(r.prefix+"one", false))
		r.holds(q, 0) // it is there
		r.must(b.Close())
		r.gone(q)
	}},
	{"a queue without a name gets one", func(r *rig) {
		ch := r.open()
		found, err := ch.QueueDeclare("", false, true, true, false, nil)
		r.must(err)
		if len(found.Name) < len("amq.gen-x") || found.Name[:8] != "amq.gen-" {
			r.Errorf("it is %q", found.Name)
		}
	}},
	{"a declaration tells messages and consumers", func(r *rig) {
		q := r.queue("", nil)
		r.put(q, "a", "b")
		ch := r.open()
		r.take(r.consume(ch, q, "t", 1), "a")
		r.holds(q, 1)
		for _, passive := range []bool{true, false} {
			r.eventually(func() bool {
				state, err := r.open().QueueDeclarePassive(q, true, false, false, false, nil)
				if !passive {
					state, err = r.open().QueueDeclare(q, true, false, false, false, quorum(nil))
				}
				r.must(err)
				return state.Messages == 1 && state.Consumers == 1
			}, "not 1 and 1, passive is %v", passive)
		}
	}},
	{"a queue is deleted only if it is unused or empty, if that is asked", func(r *rig) {
		q := r.classic("", nil)
		ch := r.open()
		r.consume(ch, q, "t", 1)
		_, err := r.open().QueueDelete(q, true, false, false)
		r.is(err, amqp.PreconditionFailed, "in use")
		r.must(ch.Close())
		r.put(q, "a")
		r.holds(q, 1)
		_, err = r.open().QueueDelete(q, false, true, false)
		r.is(err, amqp.PreconditionFailed, "empty")
		n, err := r.open().QueueDelete(q, true, false, false)
		if r.must(err); n != 1 {
			r.Errorf("%d messages went with it", n)
		}
		_, err = r.open().QueueDelete(q, false, false, false) // of what is not there
		r.must(err)
		r.gone(q)
	}},
	{"of a quorum queue that cannot be asked", func(r *rig) {
		q := r.queue("", nil)
		for _, only := range []struct{ unused, empty bool }{{true, false}, {false, true}} {
			session := r.session()
			_, err := r.openOn(session).QueueDelete(q, only.unused, only.empty, false)
			r.is(err, amqp.NotImplemented, "not supported by quorum queues")
			<-session.Done()
		}
		r.holds(q, 0)
	}},
	{"a consumer that is exclusive has no others beside it", func(r *rig) {
		q := r.classic("", nil)
		first := r.open()
		_, err := first.Consume(q, r.prefix+"one", false, true, false, false, nil)
		r.must(err)
		_, err = r.open().Consume(q, r.prefix+"two", false, false, false, false, nil)
		r.is(err, amqp.AccessRefused, "in exclusive use")
		r.must(first.Close())
		_, err = r.open().Consume(q, r.prefix+"two", false, false, false, false, nil)
		r.must(err)
		_, err = r.open().Consume(q, r.prefix+"three", false, true, false, false, nil)
		r.is(err, amqp.AccessRefused, "in exclusive use")
	}},
	{"a quorum queue does not care about that", func(r *rig) {
		q := r.queue("", nil)
		for _, exclusive := range []bool{true, false, true} {
			_, err := r.open().Consume(q, fmt.Sprintf("%s-%v-%d", r.prefix, exclusive, time.Now().UnixNano()), false, exclusive, false, false, nil)
			r.must(err)
		}
	}},
	{"who acks nothing has all at once, and nothing comes back", func(r *rig) {
		q := r.queue("", nil)
		r.put(q, "a", "b", "c")
		ch := r.open()
		if d, ok, err := ch.Get(q, true); !ok || err != nil || d.MessageId != "a" {
			r.Fatalf("%v %v %+v", ok, err, d)
		}
		r.must(ch.Qos(1, 0, false))
		in, err := ch.Consume(q, r.prefix+"t", true, false, false, false, nil)
		r.must(err)
		r.take(in, "b", "c")
		r.must(ch.Close())
		r.holds(q, 0)
	}},
	{"a message's own expiration counts, and is removed with it", func(r *rig) {
		dead := r.queue("-error", nil)
		args := deadLetterTo(dead)
		args["x-message-ttl"] = int64(60_000)
		q := r.queue("", args)
		ch, _ := r.confirming()
		c, err := ch.Publish("", q, true, amqp.Publishing{MessageId: "a", Expiration: "200"})
		r.must(err)
		r.wait(c)
		d := r.take(r.consume(r.open(), dead, "t", 0), "a")[0]
		if d.Expiration != "" || death(d, "reason") != "expired" || death(d, "original-expiration") != "200" || d.Headers["x-first-death-queue"] != q {
			r.Errorf("%+v", d)
		}
	}},
	{"what expires at once is delivered to who waits for it, and else not", func(r *rig) {
		q := r.queue("", nil)
		ch, _ := r.confirming()
		c, err := ch.Publish("", q, true, amqp.Publishing{MessageId: "lost", Expiration: "0"})
		r.must(err)
		r.wait(c)
		in := r.consume(r.open(), q, "t", 0)
		r.silence(in)
		c, err = ch.Publish("", q, true, amqp.Publishing{MessageId: "a", Expiration: "0"})
		r.must(err)
		r.wait(c)
		r.take(in, "a")
	}},
	{"an expiration that is no number closes the channel", func(r *rig) {
		q := r.queue("", nil)
		ch, _ := r.confirming()
		closed := notices(ch)
		_, err := ch.Publish("", q, true, amqp.Publishing{Expiration: "soon"})
		r.must(err)
		r.refused(closed, amqp.PreconditionFailed, "expiration")
	}},
	{"of a queue that is too long the oldest are dead-lettered", func(r *rig) {
		dead := r.queue("-error", nil)
		q := r.queue("", amqp.Table{"x-max-length": int64(2), "x-dead-letter-exchange": "", "x-dead-letter-routing-key": dead})
		r.put(q, "a", "b", "c", "d")
		for i, d := range r.take(r.consume(r.open(), dead, "t", 0), "a", "b") {
			if death(d, "reason") != "maxlen" {
				r.Errorf("number %d: %+v", i, d)
			}
		}
		r.holds(q, 2)
	}},
	{"deaths of one kind in one queue are counted, the newest first", func(r *rig) {
		args := deadLetterTo(r.prefix)
		args["x-message-ttl"] = int64(50)
		wait := r.queue("-retry-50ms", args)
		q := r.queue("", deadLetterTo(wait))
		r.put(q, "a")
		ch := r.open()
		in := r.consume(ch, q, "t", 1)
		for tag := range uint64(2) {
			r.take(in, "a")
			r.must(ch.Nack(tag+1, false, false))
		}
		d := r.take(in, "a")[0]
		all, _ := d.Headers["x-death"].([]any)
		if len(all) != 2 || d.Headers["x-first-death-reason"] != "rejected" || d.Headers["x-first-death-queue"] != q {
			r.Fatalf("%+v", d.Headers)
		}
		for i, want := range []amqp.Table{{"queue": wait, "reason": "expired"}, {"queue": q, "reason": "rejected"}} {
			got := all[i].(amqp.Table)
			if got["queue"] != want["queue"] || got["reason"] != want["reason"] || got["count"] != int64(2) {
				r.Errorf("number %d: %+v, want %+v", i, got, want)
			}
		}
	}},
	{"a classic queue puts back where it was, and does not count", func(r *rig) {
		q := r.classic("", nil)
		r.put(q, "a", "b", "c", "d")
		ch := r.open()
		r.take(r.consume(ch, q, "t", 3), "a", "b", "c")
		r.must(ch.Cancel(r.prefix+"t", false))
		r.must(ch.Nack(3, false, true))
		r.must(ch.Nack(1, false, true))
		r.holds(q, 3)
		for i, d := range r.take(r.consume(r.open(), q, "u", 0), "a", "c", "d") {
			if d.Redelivered != (i < 2) || count(d) != -1 {
				r.Errorf("%s: redelivered %v, count %d", d.MessageId, d.Redelivered, count(d))
			}
		}
	}},
	{"who has the higher priority is served first", func(r *rig) {
		q := r.queue("", nil)
		low, high := r.open(), r.open()
		r.must(low.Qos(10, 0, false))
		r.must(high.Qos(2, 0, false))
		second, err := low.Consume(q, r.prefix+"low", false, false, false, false, amqp.Table{"x-priority": int32(-1)})
		r.must(err)
		first, err := high.Consume(q, r.prefix+"high", false, false, false, false, amqp.Table{"x-priority": int32(5)})
		r.must(err)
		r.put(q, "a", "b")
		r.take(first, "a", "b")
		r.put(q, "c")
		r.take(second, "c")
	}},
	{"from 4.0 on a single active consumer gives way to one of a higher priority", func(r *rig) {
		q := r.queue("", amqp.Table{"x-single-active-consumer": true})
		low, high, highest := r.open(), r.open(), r.open()
		consume := func(ch transport.Channel, tag string, priority int32) <-chan amqp.Delivery {
			r.must(ch.Qos(2, 0, false))
			in, err := ch.Consume(q, r.prefix+tag, false, false, false, false, amqp.Table{"x-priority": priority})
			r.must(err)
			return in
		}
		first := consume(low, "low", -128)
		r.put(q, "a", "b", "c", "d", "e")
		r.take(first, "a", "b")
		second := consume(high, "high", 3)
		third := consume(highest, "highest", 127)
		r.silence(second)
		r.silence(third) // it waits until all is settled
		r.must(low.Ack(1, false))
		if r.version == simulated.RabbitMQ3 {
			r.take(first, "c")
			r.silence(third)
			return
		}
		r.silence(first)
		r.silence(third)
		r.must(low.Ack(2, false))
		r.take(third, "c", "d")
		r.silence(second)
		r.must(highest.Close()) // what it had goes to the next highest, in its order
		r.take(second, "c", "d")
		r.must(high.Ack(2, true))
		r.take(second, "e")
		r.must(high.Ack(3, false))
		r.put(q, "f")
		r.take(second, "f")
		r.silence(first)
	}},
	{"from 4.0 on a quorum queue without a limit has one of 20", func(r *rig) {
		q := r.queue("", nil)
		r.put(q, "a")
		ch := r.open()
		in := r.consume(ch, q, "t", 1)
		for i := range uint64(21) {
			r.take(in, "a")
			r.must(ch.Reject(i+1, true))
		}
		if r.version == simulated.RabbitMQ3 {
			r.take(in, "a")
			return
		}
		r.silence(in)
		r.holds(q, 0)
	}},
	{"a consumer tag that is in use ends the connection", func(r *rig) {
		q := r.queue("", nil)
		session := r.session()
		ch := r.openOn(session)
		r.consume(ch, q, "t", 1)
		_, err := ch.Consume(q, r.prefix+"t", false, false, false, false, nil)
		r.is(err, amqp.NotAllowed, "attempt to reuse consumer tag")
		<-session.Done()
	}},
	{"an exchange type that nobody knows is refused", func(r *rig) {
		session := r.session()
		err := r.openOn(session).ExchangeDeclare(r.prefix+"-exchange", "x-nobody-knows", true, false, false, false, nil)
		if r.version == simulated.RabbitMQ3 {
			r.is(err, amqp.CommandInvalid, "unknown exchange type 'x-nobody-knows'")
			<-session.Done()
			return
		}
		r.is(err, amqp.PreconditionFailed, "unknown exchange type 'x-nobody-knows'")
		r.must(session.Err())
	}},
}

// routes publishes a message for each key to an exchange with one binding, and compares which came.
// For a headers exchange the key names the headers.
func (r *rig) routes(kind, key string, arguments amqp.Table, keys, want []string) {
	r.Helper()
	headers := map[string]amqp.Table{
		"both": {"a": int64(1), "b": "x"}, "one": {"a": int64(1)}, "more": {"a": int64(1), "b": "x", "x-a": "1"}, "none": {"c": "d"},
	}
	q, exchange := r.queue("", nil), r.prefix+"-exchange"
	ch, _ := r.confirming()
	r.must(ch.ExchangeDeclare(exchange, kind, true, false, false, false, nil))
	r.must(ch.QueueBind(q, key, exchange, false, arguments))
	r.must(ch.QueueBind(q, key, exchange, false, arguments)) // which is no second binding
	for _, k := range keys {
		c, err := ch.Publish(exchange, k, false, amqp.Publishing{MessageId: k + "|", Headers: headers[k]})
		r.must(err)
		r.wait(c)
	}
	got := []string{}
	reader := r.open()
	for range len(want) + 1 {
		var d amqp.Delivery
		var ok bool
		for range 20 { // a queue may have what was confirmed a moment later
			var err error
			if d, ok, err = reader.Get(q, true); err != nil {
				r.Fatal(err)
			} else if ok || len(got) == len(want) {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		if ok {
			got = append(got, d.RoutingKey)
		}
	}
	slices.Sort(got)
	if fmt.Sprint(got) != fmt.Sprint(sorted(want)) || len(got) != len(want) {
		r.Errorf("%s %q %v: got %q, want %q", kind, key, arguments, got, want)
	}
	_, err := ch.QueueDelete(q, false, false, false)
	r.must(err)
	r.must(ch.Close())
}

func sorted(s []string) []string { return slices.Sorted(slices.Values(s)) }

func (r *rig) sessionOf(link transport.Link) transport.Session {
	r.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	s, err := link.Session(ctx)
	r.must(err)
	return s
}

func (r *rig) openOn(s transport.Session) transport.Channel {
	r.Helper()
	ch, err := s.Channel(context.Background())
	r.must(err)
	return ch
}

// gone waits until there is no such queue.
func (r *rig) gone(queue string) {
	r.Helper()
	r.eventually(func() bool {
		_, err := r.open().QueueDeclarePassive(queue, true, false, false, false, nil)
		return err != nil
	}, "%s is there", queue)
}

// classic declares a classic queue of the script's own.
func (r *rig) classic(suffix string, args amqp.Table) string {
	r.Helper()
	all := amqp.Table{"x-queue-type": "classic"}
	maps.Copy(all, args)
	_, err := r.open().QueueDeclare(r.prefix+suffix, true, false, false, false, all)
	r.must(err)
	return r.prefix + suffix
}
