package upgrade_test

import (
	"cmp"
	"maps"
	"slices"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/internal/test/upgrade/fixture"
)

// put declares what a fixture has declared and puts its messages where they stood. What is to wait
// goes last, since its time begins then: put returns when that was, and until when messages sleep,
// by their ids.
func put(t *testing.T, s fixture.Scheme, messages []fixture.Message, user string) (began time.Time, asleep map[string]time.Time) {
	t.Helper()
	ch := amqptest.Channel(t)
	names := make([]string, 0, len(s.Declared))
	for _, d := range s.Declared {
		if d.What != "binding" {
			names = append(names, d.Name)
		}
	}
	amqptest.Cleanup(t, names...)
	if err := fixture.Declare(ch, s.Declared); err != nil {
		t.Fatal(err)
	}
	messages = slices.Clone(messages)
	slices.SortStableFunc(messages, func(a, b fixture.Message) int { return cmp.Compare(rank(a), rank(b)) })
	asleep = map[string]time.Time{}
	var held []amqp.Delivery // all but the last of their returns are done
	for _, m := range messages {
		exchange, key := m.Exchange, m.RoutingKey
		if isCopy(m) {
			exchange, key = "", m.Queue
		}
		if began.IsZero() && m.Returned == 0 && isCopy(m) {
			began = time.Now()
		}
		p := renewed(m.Stood, user)
		if _, sleeps := p.Headers[notBeforeTime]; sleeps { // as long as it would have slept
			at := time.Now().Add(fixture.Sleep).UTC()
			p.Headers[notBeforeTime], asleep[p.MessageId] = at.Format("2006-01-02T15:04:05.000Z07:00"), at
		}
		amqptest.Publish(t, exchange, key, p)
		if m.Returned > 0 {
			held = append(held, takeBack(t, ch, m))
		}
		if m.Returned == 0 && held != nil {
			reject(t, held)
			held = nil
		}
	}
	reject(t, held)
	return began, asleep
}

// rank is in which order messages are put.
func rank(m fixture.Message) int {
	switch {
	case m.Returned > 0:
		return 0 // while its queue is empty
	case !isCopy(m):
		return 1
	}
	return 2
}

// isCopy says whether a consumer has published the message. Else it stood in the main queue as a
// user published it.
func isCopy(m fixture.Message) bool { return m.Stood.Headers[retryAttempts] != nil }

// takeBack lets a message, the only one that its queue has ready, be returned once less than it
// was, and holds it.
func takeBack(t *testing.T, ch *amqp.Channel, m fixture.Message) (d amqp.Delivery) {
	t.Helper()
	for n := range m.Returned {
		if n > 0 {
			reject(t, []amqp.Delivery{d})
		}
		amqptest.Eventually(t, 10*time.Second, func() bool {
			var ok bool
			var err error
			if d, ok, err = ch.Get(m.Queue, false); err != nil {
				t.Fatal(err)
			}
			return ok
		}, "no message in %s", m.Queue)
	}
	if d.MessageId != m.Stood.MessageID {
		t.Fatalf("message %s in %s, want %s", d.MessageId, m.Queue, m.Stood.MessageID)
	}
	return d
}

// reject returns messages to their queues. Every version counts that.
func reject(t *testing.T, all []amqp.Delivery) {
	t.Helper()
	for _, d := range all {
		if err := d.Reject(true); err != nil {
			t.Fatal(err)
		}
	}
}

// renewed is a message as it stood, for another user. What the broker writes is left out.
func renewed(c fixture.Content, user string) amqp.Publishing {
	p := c.Publishing()
	p.Headers = maps.Clone(p.Headers)
	maps.DeleteFunc(p.Headers, func(name string, _ any) bool { return isBrokers(name) })
	if p.UserId != "" {
		p.UserId = user
	}
	if p.Headers[originalUserID] != nil {
		p.Headers[originalUserID] = user
	}
	return p
}
