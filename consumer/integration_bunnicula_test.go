package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/topology"
)

// clojure behaves on the wire as a consumer of Clojure's Bunnicula does: what it declares, how it
// publishes to retry and to give up (no confirm, the routing key "#", no property but the delivery
// mode, the expiration and one header), and then acks. How often its handler fails is up to the
// test.
type clojure struct {
	t          *testing.T
	queue      string
	maxRetries int64
	backoff    time.Duration
	handle     func(body string, attempts int64) string // "ack", "retry" or "error"
	ch         *amqp.Channel
	tag        string
}

func (c *clojure) declare(exchange string) {
	c.t.Helper()
	c.ch = amqptest.Channel(c.t)
	must := func(err error) {
		c.t.Helper()
		if err != nil {
			c.t.Fatal(err)
		}
	}
	q := c.queue
	must(c.ch.ExchangeDeclare(q+"-retry", "fanout", false, true, false, false, nil))
	must(c.ch.ExchangeDeclare(q+"-error", "topic", true, false, false, false, nil))
	must(c.ch.ExchangeDeclare(q+"-retry-requeue", "fanout", false, true, false, false, nil))
	for name, args := range map[string]amqp.Table{
		q: {}, q + "-retry": {"x-dead-letter-exchange": q + "-retry-requeue"}, q + "-error": {},
	} {
		_, err := c.ch.QueueDeclare(name, true, false, false, false, args)
		must(err)
	}
	if exchange != "" {
		must(c.ch.QueueBind(q, q, exchange, false, nil))
	}
	must(c.ch.QueueBind(q, "#", q+"-retry-requeue", false, nil))
	must(c.ch.QueueBind(q+"-error", "#", q+"-error", false, nil))
	must(c.ch.QueueBind(q+"-retry", "#", q+"-retry", false, nil))
}

func (c *clojure) start() {
	c.t.Helper()
	if err := c.ch.Qos(10, 0, false); err != nil {
		c.t.Fatal(err)
	}
	c.tag = c.queue + "-clojure"
	deliveries, err := c.ch.Consume(c.queue, c.tag, false, false, false, false, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	go func() {
		for d := range deliveries {
			c.settle(d)
		}
	}()
}

// attempts reads the count as Clojure does: absent is 0, any integer will do, and to add one to
// anything else throws. The Java client makes a Long of the 64 bits that Clojure itself writes.
func (c *clojure) attempts(h amqp.Table) int64 {
	switch n := h["retry-attempts"].(type) {
	case nil:
		return 0
	case int64:
		return n
	case int32:
		return int64(n)
	default:
		c.t.Errorf("retry-attempts is %v, of type %T: ClassCastException", n, n)
		return 0
	}
}

func (c *clojure) settle(d amqp.Delivery) {
	attempts := c.attempts(d.Headers)
	said := c.handle(string(d.Body), attempts)
	if said == "retry" && c.maxRetries <= attempts {
		said = "error"
	}
	if said != "ack" {
		again := amqp.Publishing{DeliveryMode: 2, Headers: amqp.Table{"retry-attempts": attempts + 1}, Body: d.Body}
		if said == "retry" {
			again.Expiration = fmt.Sprint(c.backoff.Milliseconds())
		}
		if err := c.ch.Publish(c.queue+"-"+said, "#", false, false, again); err != nil {
			c.t.Error(err)
		}
	}
	if err := d.Ack(false); err != nil {
		c.t.Error(err)
	}
}

func TestClojureAndGoShareAQueue(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	queue := amqptest.Queue(t, "bunnicula")
	exchange := queue + "-main"
	amqptest.Cleanup(t, exchange)
	if err := amqptest.Channel(t).ExchangeDeclare(exchange, "topic", true, false, false, false, nil); err != nil {
		t.Fatal(err)
	}

	// Both sides fail all that is not "fine", until the attempts are used up. Which side gets a
	// message is the broker's choice each time, so with many messages they cross in both
	// directions.
	type seen struct {
		side     string
		attempts int
	}
	var mu sync.Mutex
	life := map[string][]seen{}
	see := func(side, body string, attempts int) {
		mu.Lock()
		defer mu.Unlock()
		life[body] = append(life[body], seen{side, attempts})
	}
	clj := &clojure{t: t, queue: queue, maxRetries: 3, backoff: 200 * time.Millisecond, handle: func(body string, attempts int64) string {
		see("clojure", body, int(attempts))
		switch {
		case strings.HasPrefix(body, "fine"):
			return "ack"
		case strings.HasPrefix(body, "bad"):
			return "error"
		}
		return "retry"
	}}
	clj.declare(exchange)
	clj.start()
	c := r.start(consumer.Spec{
		Queue: queue, Scheme: topology.Bunnicula, Bindings: []topology.Bind{{Exchange: exchange}},
		MaxRetries: 3, Backoff: []time.Duration{200 * time.Millisecond}, Concurrency: 2,
		Handler: func(_ context.Context, d consumer.Delivery) consumer.Result {
			body := string(d.Body)
			see("go", body, d.Attempt-1)
			switch {
			case strings.HasPrefix(body, "fine"):
				return consumer.Ack()
			case strings.HasPrefix(body, "bad"):
				return consumer.Error(errors.New("bad"))
			}
			return consumer.Retry(errors.New("not yet"))
		},
	})
	const each = 31 // odd, for the broker gives them out in turn: each comes to the other side the next time
	for i := range each {
		for _, kind := range []string{"fine", "bad", "flaky"} {
			// as Clojure publishes: no other property, no header
			amqptest.Publish(t, exchange, queue, amqp.Publishing{DeliveryMode: 2, Body: fmt.Appendf(nil, "%s %d", kind, i)})
		}
	}
	depths(t, map[string]int{queue + "-error": 2 * each})
	amqptest.Eventually(t, 10*time.Second, func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(life) == 3*each
	}, "not every message was seen")
	r.stop(c)
	if err := clj.ch.Cancel(clj.tag, false); err != nil {
		t.Fatal(err)
	}
	depths(t, map[string]int{queue: 0, queue + "-retry": 0})

	mu.Lock()
	defer mu.Unlock()
	var toGo, toClojure int
	for body, all := range life {
		want := []int{0}
		if strings.HasPrefix(body, "flaky") {
			want = []int{0, 1, 2, 3}
		}
		var got []int
		for i, s := range all {
			got = append(got, s.attempts)
			if i > 0 && s.side != all[i-1].side {
				if s.side == "go" {
					toGo++
				} else {
					toClojure++
				}
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s was handled with retry-attempts %v, want %v: %v", body, got, want, all)
		}
	}
	if toGo == 0 || toClojure == 0 {
		t.Errorf("messages crossed %d times to Go and %d times to Clojure, want both ways", toGo, toClojure)
	}
	for _, d := range amqptest.Drain(t, queue+"-error") {
		last := life[string(d.Body)][len(life[string(d.Body)])-1]
		want := int64(last.attempts)
		if last.side == "clojure" {
			want++ // it counts giving up as well
		}
		if d.Headers["retry-attempts"] != want {
			t.Errorf("%s, given up by %s, has retry-attempts %v, want %d", d.Body, last.side, d.Headers["retry-attempts"], want)
		}
		if why, ok := d.Headers["bunnicula-reason"]; ok != (last.side == "go") {
			t.Errorf("%s, given up by %s, has the reason %v", d.Body, last.side, why)
		}
	}
}

// The last step of docs/BUNNICULA.md: the Clojure consumers are gone, and their queue is adopted
// with what waits in it.
func TestTheQueueOfClojureIsAdoptedWithWhatWaits(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	queue := amqptest.Queue(t, "bunnicula", "-parked")
	(&clojure{t: t, queue: queue}).declare("")
	ch := amqptest.Channel(t)
	// What Clojure has retried, and what it has parked.
	amqptest.Publish(t, queue+"-retry", "#", amqp.Publishing{
		DeliveryMode: 2, Expiration: "1500", Headers: amqp.Table{"retry-attempts": int64(1)}, Body: []byte("retried there"),
	})
	amqptest.Publish(t, queue+"-error", "#", amqp.Publishing{
		DeliveryMode: 2, Headers: amqp.Table{"retry-attempts": int64(4)}, Body: []byte("parked there"),
	})
	amqptest.Publish(t, "", queue, amqp.Publishing{DeliveryMode: 2, Body: []byte("new")})

	c := r.start(consumer.Spec{
		Queue: queue, Declare: topology.Satellites, ErrorQueue: queue + "-parked",
		MaxRetries: 3, Backoff: []time.Duration{200 * time.Millisecond},
		Handler: always(consumer.Retry(errors.New("down"))),
	})
	depths(t, map[string]int{queue: 0, queue + "-retry": 0, queue + "-parked": 2, queue + "-error": 1})
	amqptest.Eventually(t, 10*time.Second, func() bool { return len(r.ended.Ends()) == 7 }, "the monitor was not told of 7 attempts")
	attempts := map[string][]int{}
	for _, end := range r.ended.Ends() {
		attempts[string(end.Delivery.Body)] = append(attempts[string(end.Delivery.Body)], end.Delivery.Attempt)
	}
	if !slices.Equal(attempts["new"], []int{1, 2, 3, 4}) || !slices.Equal(attempts["retried there"], []int{2, 3, 4}) {
		t.Errorf("the attempts were %v", attempts)
	}

	// What is left of the old scheme is not missed.
	if _, err := ch.QueueDelete(queue+"-retry", false, true, false); err != nil {
		t.Fatal(err)
	}
	for _, exchange := range []string{"-retry", "-retry-requeue", "-error"} {
		if err := ch.ExchangeDelete(queue+exchange, false, false); err != nil {
			t.Fatal(err)
		}
	}
	amqptest.Publish(t, "", queue, amqp.Publishing{DeliveryMode: 2, Body: []byte("newer")})
	depths(t, map[string]int{queue: 0, queue + "-parked": 3})
	r.stop(c)
}
