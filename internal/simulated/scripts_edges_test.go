package simulated_test

import (
	"slices"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/simulated"
)

func init() { scripts = append(scripts, edgeScripts...) }

// edgeScripts are about what a simulation gets wrong easily: what is shared, believed or refused.
var edgeScripts = []script{
	{"each delivery of a message has memory of its own", func(r *rig) {
		a, b, exchange := r.queue("", nil), r.queue("-b", nil), r.prefix+"-exchange"
		ch, _ := r.confirming()
		r.must(ch.ExchangeDeclare(exchange, "fanout", true, false, false, false, nil))
		r.must(ch.QueueBind(a, "", exchange, false, nil))
		r.must(ch.QueueBind(b, "", exchange, false, nil))
		nested := amqp.Table{"n": int64(1)}
		c, err := ch.Publish(exchange, "", true, amqp.Publishing{MessageId: "a", Body: []byte("body"), Headers: amqp.Table{"t": nested}})
		r.must(err)
		nested["n"] = int64(2)
		r.wait(c)
		for i, q := range []string{a, a, b} { // the second time it is delivered again
			ch := r.open()
			d := r.take(r.consume(ch, q, "t", 1), "a")[0]
			table := d.Headers["t"].(amqp.Table)
			if string(d.Body) != "body" || table["n"] != int64(1) {
				r.Errorf("delivery %d: %s, %v", i+1, d.Body, d.Headers)
			}
			d.Body[0], table["n"] = 'X', int64(3)
			r.must(ch.Close())
			r.holds(q, 1)
		}
	}},
	{"a pulse is an answer", func(r *rig) {
		s := r.session()
		if n := s.Pulse(); n != 0 {
			r.Errorf("%d answers before the first can have come", n)
		}
		for end := time.Now().Add(5 * time.Second); s.Pulse() < 3; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				r.Fatal("there are no answers")
			}
		}
	}},
	{"headers come back as AMQP has them", func(r *rig) {
		q := r.queue("", nil)
		ch, _ := r.confirming()
		stamp := time.Unix(1_700_000_000, 5e8)
		for id, h := range map[string]amqp.Table{"a": {"time": stamp, "in": []any{stamp}, "int": 7}, "b": {}} {
			c, err := ch.Publish("", q, true, amqp.Publishing{MessageId: id, Headers: h})
			r.must(err)
			r.wait(c)
			d, ok, err := ch.Get(q, true)
			if r.must(err); !ok || d.Body == nil {
				r.Fatalf("%v, body %#v", ok, d.Body)
			}
			if id == "b" {
				if max(count(d), 0) != 0 || len(d.Headers) > 1 || r.version != simulated.RabbitMQ3 && d.Headers != nil { // which may count from 0 on
					r.Errorf("none are %#v", d.Headers)
				}
				continue
			}
			one, _ := d.Headers["time"].(time.Time)
			in, _ := d.Headers["in"].([]any)
			if !one.Equal(stamp.Truncate(time.Second)) || len(in) != 1 || !in[0].(time.Time).Equal(one) || d.Headers["int"] != int32(7) {
				r.Errorf("%#v", d.Headers)
			}
		}
	}},
	{"nobody publishes to an internal exchange", func(r *rig) {
		exchange := r.prefix + "-exchange"
		ch, _ := r.confirming()
		r.must(ch.ExchangeDeclare(exchange, "direct", true, false, true, false, nil))
		closed := notices(ch)
		c, err := ch.Publish(exchange, "k", true, amqp.Publishing{})
		r.must(err)
		r.refused(closed, amqp.AccessRefused, "cannot publish to internal exchange '"+exchange+"'")
		if r.wait(c); c.Acked() {
			r.Error("acked")
		}
	}},
	{"a binding compares in one of four ways", func(r *rig) {
		q, exchange := r.queue("", nil), r.prefix+"-exchange"
		r.must(r.open().ExchangeDeclare(exchange, "headers", true, false, false, false, nil))
		r.is(r.open().QueueBind(q, "", exchange, false, amqp.Table{"x-match": "some"}), amqp.PreconditionFailed, "x-match field value")
		r.is(r.open().QueueBind(q, "", exchange, false, amqp.Table{"x-match": int64(1)}), amqp.PreconditionFailed, "x-match field type")
		r.must(r.open().QueueBind(q, "", "amq.topic", false, amqp.Table{"x-match": "some"})) // which does not look at it
	}},
	{"basic.get takes nothing of a quorum queue with a single active consumer", func(r *rig) {
		q := r.queue("", amqp.Table{"x-single-active-consumer": true})
		r.put(q, "a")
		_, _, err := r.open().Get(q, true)
		r.is(err, amqp.ResourceLocked, "with single active consumer")
	}},
	{"what comes back to a queue that is too long by then goes first", func(r *rig) {
		dead := r.queue("-error", nil)
		args := amqp.Table{"x-max-length": int64(2), "x-dead-letter-exchange": "", "x-dead-letter-routing-key": dead}
		for _, q := range []string{r.queue("", args), r.classic("-b", args)} {
			r.put(q, "a", "b")
			ch := r.open()
			r.take(r.consume(ch, q, "t", 2), "a", "b")
			r.put(q, "c", "d")
			r.must(ch.Close())
			r.holds(q, 2)
			ch = r.open()
			in, gone := r.consume(ch, dead, "u", 2), []string{}
			for range 2 { // the real 3.10 drops them in another order
				d := <-in
				gone = append(gone, d.MessageId)
				if death(d, "reason") != "maxlen" || death(d, "queue") != q {
					r.Errorf("%+v", d)
				}
			}
			if slices.Sort(gone); !slices.Equal(gone, []string{"a", "b"}) {
				r.Errorf("%v", gone)
			}
			r.must(ch.Ack(0, true))
			r.must(ch.Close())
		}
	}},
	{"from 4.0 on a client's own x-death is not believed", func(r *rig) {
		dead := r.queue("-error", nil)
		q := r.queue("", deadLetterTo(dead))
		ch, _ := r.confirming()
		c, err := ch.Publish("", q, true, amqp.Publishing{MessageId: "a", Headers: amqp.Table{
			"x-first-death-queue": "old", "x-death": []any{amqp.Table{
				"queue": q, "reason": "rejected", "count": int64(5), "exchange": "", "routing-keys": []any{q}, "time": time.Unix(1, 0),
			}},
		}})
		r.must(err)
		r.wait(c)
		ch = r.open()
		if d := r.take(r.consume(ch, q, "t", 1), "a")[0]; death(d, "count") != int64(5) {
			r.Errorf("before it dies: %v", d.Headers)
		}
		r.must(ch.Nack(1, false, false))
		d := r.take(r.consume(r.open(), dead, "u", 0), "a")[0]
		want, first := int64(1), q
		if r.version == simulated.RabbitMQ3 {
			want, first = 6, "old"
		}
		if death(d, "count") != want || d.Headers["x-first-death-queue"] != first {
			r.Errorf("%v", d.Headers)
		}
	}},
	{"a dead letter that goes in a circle is dropped, unless somebody rejected it", func(r *rig) {
		args := amqp.Table{"x-message-ttl": int64(100), "x-dead-letter-exchange": "", "x-dead-letter-routing-key": r.prefix + "-b"}
		q := r.queue("", args)
		back := amqp.Table{"x-dead-letter-exchange": "", "x-dead-letter-routing-key": q}
		other := r.queue("-b", back)
		r.put(q, "a")
		ch := r.open()
		in := r.consume(ch, other, "t", 1)
		r.take(in, "a")
		r.must(ch.Nack(1, false, false)) // to the first one, where it waits again
		d := r.take(in, "a")[0]
		if all, _ := d.Headers["x-death"].([]any); len(all) != 2 || death(d, "count") != int64(2) {
			r.Errorf("%v", d.Headers)
		}
		r.must(ch.Ack(2, false))
		r.must(ch.Close())
		r.delete(other)
		back["x-message-ttl"] = int64(100)
		other = r.queue("-b", back)
		r.put(q, "b")
		r.silenceElsewhere()
		r.silenceElsewhere()
		r.holds(q, 0)
		r.holds(other, 0)
	}},
	{"on 4.3 a delivery tells how often it came back, counted or not", func(r *rig) {
		q := r.queue("", nil)
		r.put(q, "a")
		ch := r.open()
		in := r.consume(ch, q, "t", 1)
		for n := range uint64(3) {
			d := r.take(in, "a")[0]
			got, there := d.Headers["x-acquired-count"]
			if want := n > 0 && r.version == simulated.RabbitMQ43; there != want || want && got != int64(n) {
				r.Errorf("after %d: %v", n, d.Headers)
			}
			r.must(ch.Nack(n+1, false, true))
		}
	}},
}

func init() { scripts = append(scripts, replyScripts...) }

// replyScripts are about direct reply-to.
var replyScripts = []script{
	{"an answer comes on the channel that has asked", func(r *rig) {
		q := r.queue("", nil)
		asker, _ := r.confirming()
		answers, err := asker.Consume("amq.rabbitmq.reply-to", "", true, false, false, false, nil)
		r.must(err)
		c, err := asker.Publish("", q, true, amqp.Publishing{MessageId: "question", ReplyTo: "amq.rabbitmq.reply-to"})
		r.must(err)
		r.wait(c)
		ch, returns := r.confirming()
		d := r.take(r.consume(ch, q, "t", 1), "question")[0]
		if !strings.HasPrefix(d.ReplyTo, "amq.rabbitmq.reply-to.") {
			r.Fatalf("it is to be answered in %q", d.ReplyTo)
		}
		for _, mandatory := range []bool{false, true} { // 3.10 returns what has arrived
			c, err = ch.Publish("", d.ReplyTo, mandatory, amqp.Publishing{MessageId: "answer", CorrelationId: "question"})
			r.must(err)
			if r.wait(c); !c.Acked() {
				r.Error("the answer is not confirmed")
			}
			if a := r.take(answers, "answer")[0]; a.CorrelationId != "question" || a.Exchange != "" {
				r.Errorf("the answer is %+v", a)
			}
		}
		if n := len(returns); n != 0 != (r.version == simulated.RabbitMQ3) {
			r.Errorf("%d were returned", n)
		}
		r.must(asker.Close())
		c, err = ch.Publish("", d.ReplyTo, false, amqp.Publishing{MessageId: "late"})
		r.must(err)
		if r.wait(c); !c.Acked() {
			r.Error("an answer to nobody is not confirmed")
		}
	}},
	{"who asks consumes answers first, once and without acks", func(r *rig) {
		ch := r.open()
		closed := notices(ch)
		_, err := ch.Publish("", r.prefix, false, amqp.Publishing{ReplyTo: "amq.rabbitmq.reply-to"})
		r.must(err)
		r.refused(closed, amqp.PreconditionFailed, "reply consumer")
		_, err = r.open().Consume("amq.rabbitmq.reply-to", "", false, false, false, false, nil)
		r.is(err, amqp.PreconditionFailed, "reply consumer cannot acknowledge")
		ch = r.open()
		_, err = ch.Consume("amq.rabbitmq.reply-to", "", true, false, false, false, nil)
		r.must(err)
		_, err = ch.Consume("amq.rabbitmq.reply-to", "", true, false, false, false, nil)
		r.is(err, amqp.PreconditionFailed, "reply consumer already set")
	}},
}
