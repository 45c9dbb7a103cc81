package languages

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/errorqueue"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/publisher"
)

func TestWhatAnotherLanguageParksIsShownAndRedrivenByGo(t *testing.T) {
	each(t, consumes, func(t *testing.T, l language) {
		g := newGopher(t)
		other := l.start(t, g.queue, retryDelays...)
		g.publish(order{1, "someone@example.com"})
		g.publish(order{2, ""}, publisher.MessageID("incomplete"), publisher.Type("order"), publisher.CorrelationID("c"))
		g.publish(order{3, "someone@down.example"}, publisher.MessageID("down"))
		g.undecodable()
		other.Await("order 1 confirmed to someone@example.com in attempt 1", 20*time.Second)
		parked := g.list(3)

		m := parked[`{"Number":2,"Email":""}`]
		compare(t, m, "incomplete", "error", "order has no email", 1)
		if m.MessageType != "order" || m.CorrelationID != "c" || m.Headers["tenant"] != "north" || fmt.Sprint(m.Headers["n"]) != "7" {
			t.Errorf("it is not as it was published: %+v", m)
		}
		if m.OriginalExchange != g.events || m.OriginalRoutingKey != "order.placed" || m.Target != g.queue || m.TargetFrom != "header" {
			t.Errorf("it came from exchange %q with key %q, and goes back to %q (%s)", m.OriginalExchange, m.OriginalRoutingKey, m.Target, m.TargetFrom)
		}
		m = parked[`{"Number":3,"Email":"someone@down.example"}`]
		compare(t, m, "down", "retries-exhausted", "order 3: connect ECONNREFUSED", 6)
		for i, past := range m.History {
			if past.Attempt != i+1 || past.At.IsZero() || past.Error != m.Error || (past.Reason == "retry") != (i < 5) {
				t.Errorf("entry %d of the history: %+v", i, past)
			}
		}
		m = parked[`{"Number":`]
		if m.ID == "" || !m.IDGiven || m.Reason != "undecodable" || m.Type != "SyntaxError" && m.Type != "JSONDecodeError" || m.ContentType != "application/octet-stream" {
			t.Errorf("what cannot be decoded is parked as %+v", m)
		}

		stop(t, other)
		g.redriven()
	})
}

// compare compares what the error queue's tools say of a message that another language has parked.
func compare(t *testing.T, m errorqueue.Message, id, reason, text string, attempts int) {
	t.Helper()
	if m.Origin != errorqueue.OriginConsumer || m.ID != id || m.Reason != reason || m.Error != text || m.Attempts != attempts || len(m.History) != attempts {
		t.Errorf("%s: origin %s, id %q, reason %q, error %q, %d attempts, %d entries in the history", id, m.Origin, m.ID, m.Reason, m.Error, m.Attempts, len(m.History))
	}
	if len(m.Group) != 16 || m.Type == "" || m.Consumer == "" || m.Host == "" || m.App != "mailer" || m.FailedAt.IsZero() || m.FirstFailedAt.IsZero() {
		t.Errorf("%s: group %q, type %q, consumer %q, host %q, app %q, failed at %s, first at %s", id, m.Group, m.Type, m.Consumer, m.Host, m.App, m.FailedAt, m.FirstFailedAt)
	}
}

// redriven redrives all that is parked to a Go consumer.
func (g *gopher) redriven() {
	g.t.Helper()
	report, err := g.parked().Redrive(g.t.Context(), errorqueue.RedriveOptions{All: true})
	if err != nil || report.Moved != 3 {
		g.t.Fatalf("%d messages were redriven: %v", report.Moved, err)
	}
	got, _ := g.consume(consumer.Ack)
	for range report.Moved {
		if d := g.await(got); d.Attempt != 1 {
			g.t.Errorf("a redriven message is handled with attempt %d", d.Attempt)
		}
	}
}

func TestAnotherLanguageGoesOnWhereGoHasBegun(t *testing.T) {
	each(t, consumes, func(t *testing.T, l language) {
		g := newGopher(t)
		got, stopGo := g.consume(func() consumer.Result { return consumer.RetryAfter(2500*time.Millisecond, errors.New("not now")) })
		g.publish(order{1, "someone@example.com"})
		g.await(got)
		until := time.Now().Add(2500 * time.Millisecond)
		amqptest.Eventually(t, 5*time.Second, func() bool { return amqptest.Depth(t, g.queue+"-retry-1s") == 1 }, "Go has not retried the message")
		stopGo()

		other := l.start(t, g.queue, retryDelays...)
		other.Await("order 1 confirmed to someone@example.com in attempt 2", 20*time.Second)
		if early := time.Until(until); early > 100*time.Millisecond {
			t.Errorf("it was handled %s before its time", early)
		}
		stop(t, other)
	})
}

func TestAnotherLanguageHandlesWhatGoDelaysWhenItIsDue(t *testing.T) {
	each(t, consumes, func(t *testing.T, l language) {
		g := newGopher(t)
		other := l.start(t, g.queue, retryDelays...)
		due := time.Now().Add(2300 * time.Millisecond) // 1s, 1s and 300ms
		g.publishTo(g.queue, order{1, "someone@example.com"}, publisher.At(due))
		other.Await("order 1 confirmed to someone@example.com in attempt 1", 20*time.Second)
		if early, late := time.Until(due), time.Since(due); early > 50*time.Millisecond || late > 3*time.Second {
			t.Errorf("it was handled %s before its time", early)
		}
		stop(t, other)
	})
}

func TestGoGoesOnWhereAnotherLanguageHasBegun(t *testing.T) {
	each(t, consumes, func(t *testing.T, l language) {
		g := newGopher(t)
		other := l.start(t, g.queue, "1s") // one delay, so that it waits while the other stops
		g.publish(order{1, "someone@down.example"}, publisher.MessageID("both"))
		amqptest.Eventually(t, 20*time.Second, func() bool { return amqptest.Depth(t, g.queue+"-retry-1s") == 1 }, "it has not retried the message")
		stop(t, other)

		got, _ := g.consume(func() consumer.Result { return consumer.Error(errors.New("never")) })
		d := g.await(got)
		if d.Attempt < 2 || d.MessageID != "both" || d.Exchange != g.events || d.RoutingKey != "order.placed" || d.Headers["tenant"] != "north" {
			t.Errorf("Go gets attempt %d of %q from exchange %q with key %q and headers %v", d.Attempt, d.MessageID, d.Exchange, d.RoutingKey, d.Headers)
		}
		for _, m := range g.list(1) {
			if m.Attempts != d.Attempt || len(m.History) != d.Attempt || m.History[0].Error != "order 1: connect ECONNREFUSED" || m.Error != "never" {
				t.Errorf("parked after %d attempts: %q, history %+v", m.Attempts, m.Error, m.History)
			}
		}
	})
}

func TestAHandlerThatRunsPastItsTimeoutIsRetried(t *testing.T) {
	each(t, consumes, func(t *testing.T, l language) {
		g := newGopher(t)
		other := l.start(t, g.queue, retryDelays...)
		g.publish(order{1, "someone@slow.example"}, publisher.MessageID("slow"))
		for _, m := range g.list(1) {
			compare(t, m, "slow", "timeout", "the handler ran past its timeout", 6)
		}
		g.publish(order{2, "someone@example.com"})
		other.Await("order 2 confirmed", 20*time.Second)
		stop(t, other)
	})
}

func TestAConsumerHoldsAMessageWhoseCopyNoQueueTakes(t *testing.T) {
	each(t, consumes, func(t *testing.T, l language) {
		g := newGopher(t)
		if _, err := amqptest.Channel(t).QueueDelete(g.queue+"-error", false, false, false); err != nil {
			t.Fatal(err)
		}
		other := l.start(t, g.queue, retryDelays...)
		g.publish(order{1, ""})
		other.Await("is not placed, its message is held: there is no queue "+g.queue+"-error", 20*time.Second)
		if err := g.consumer(nil).Topology().Declare(amqptest.Channel(t)); err != nil {
			t.Fatal(err)
		}
		g.list(1)
		stop(t, other)
		if n := amqptest.Depth(t, g.queue); n != 0 {
			t.Errorf("%d messages are in the main queue again", n)
		}
	})
}

func TestAConsumerThatIsKilledLosesNothing(t *testing.T) {
	each(t, consumes, func(t *testing.T, l language) {
		g := newGopher(t)
		const orders, kills = 120, 4
		numbers := map[string]string{} // what is to be parked, by the body
		for n := range orders {
			email, reason := "someone@example.com", ""
			switch {
			case n%3 == 0:
				email, reason = "someone@down.example", "retries-exhausted"
			case n%7 == 0:
				email, reason = "", "error"
			}
			if reason != "" {
				numbers[body(t, order{n, email})] = reason
			}
			g.publish(order{n, email})
		}
		done := map[string]bool{}
		for kill := range kills {
			other := l.start(t, g.queue, retryDelays...)
			time.Sleep(time.Duration(kill*200+50) * time.Millisecond) // at another moment each time
			other.Kill()
			collect(done, other)
		}
		other := l.start(t, g.queue, retryDelays...)
		parked := map[string]errorqueue.Message{}
		amqptest.Eventually(t, time.Minute, func() bool {
			collect(done, other)
			if len(done) < orders-len(numbers) || amqptest.Depth(t, g.queue+"-error") < len(numbers) {
				return false
			}
			parked = g.list(len(numbers)) // which may have some twice, while others still wait
			return len(parked) == len(numbers)
		}, "an order is lost: not every one is confirmed or parked")
		stop(t, other)
		for payload, reason := range numbers {
			if m := parked[payload]; m.Reason != reason {
				t.Errorf("%s is parked as %q, want %q", payload, m.Reason, reason)
			}
		}
	})
}
