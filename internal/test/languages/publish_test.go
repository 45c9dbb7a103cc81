package languages

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
)

func TestGoHandlesWhatAnotherLanguagePublishes(t *testing.T) {
	each(t, publishes, func(t *testing.T, l language) {
		g := newGopher(t)
		publish := func(payload string) {
			t.Helper()
			if said, code := run(t, l.publish, g.queue, payload); code != 0 || !strings.Contains(said, "published") {
				t.Fatalf("exit code %d:\n%s", code, said)
			}
		}
		publish(`{"Number": 1, "Email": "someone@example.com"}`)
		isWellPublished(t, amqptest.Get(t, g.queue))

		publish(`{"Number": 2, "Email": "someone@example.com"}`)
		got, _ := g.consume(consumer.Ack)
		d := g.await(got)
		var o order
		if err := json.Unmarshal(d.Body, &o); err != nil || o.Number != 2 || o.Email != "someone@example.com" {
			t.Errorf("the handler got %s: %v", d.Body, err)
		}
		if d.Attempt != 1 || d.MessageID == "" || d.Type != "order" || d.ContentType != "application/json" || d.RoutingKey != g.queue {
			t.Errorf("the handler got %+v", d)
		}
	})
}

func TestGoHandlesWhatAnotherLanguageDelaysWhenItIsDue(t *testing.T) {
	each(t, delays, func(t *testing.T, l language) {
		g := newGopher(t)
		got, _ := g.consume(consumer.Ack)
		began := time.Now()
		if said, code := run(t, delays(l), g.queue, `{"Number": 1, "Email": "someone@example.com"}`); code != 0 || !strings.Contains(said, "published") {
			t.Fatalf("exit code %d:\n%s", code, said)
		}
		d := g.await(got)
		// The programs' clocks have milliseconds.
		if due, late := d.Since, time.Since(d.Since); due.Sub(began) < 1299*time.Millisecond || late < 0 || late > 3*time.Second || d.Attempt != 1 {
			t.Errorf("it was due at %s, %s after it was published, and is handled %s later, in attempt %d", due, due.Sub(began), late, d.Attempt)
		}

		if said, code := run(t, delays(l), g.queue+"-none", `{"Number": 1}`); code == 0 || !strings.Contains(said, "no queue takes the key "+g.queue+"-none-retry-1s") {
			t.Errorf("where there is no such queue: exit code %d:\n%s", code, said)
		}
	})
}

func isWellPublished(t *testing.T, d amqp.Delivery) {
	t.Helper()
	if d.DeliveryMode != amqp.Persistent || d.ContentType != "application/json" || d.MessageId == "" || d.Type != "order" {
		t.Errorf("published was delivery mode %d, content type %q, id %q, type %q", d.DeliveryMode, d.ContentType, d.MessageId, d.Type)
	}
	if age := time.Since(d.Timestamp); age < -time.Minute || age > time.Minute {
		t.Errorf("the timestamp is %s", d.Timestamp)
	}
}

func TestAPublisherHearsThatNoQueueTakesItsMessage(t *testing.T) {
	each(t, publishes, func(t *testing.T, l language) {
		nowhere := amqptest.Queue(t, "languages-nowhere")
		said, code := run(t, l.publish, nowhere, `{"Number": 1}`)
		if code == 0 || !strings.Contains(said, "no queue takes the key "+nowhere) || strings.Contains(said, "published") {
			t.Errorf("exit code %d:\n%s", code, said)
		}
	})
}

// TestWhoDeclaresTheQueueIsRefused also compares the broker's words with those in the page, which
// has them for a queue orders in the vhost /.
func TestWhoDeclaresTheQueueIsRefused(t *testing.T) {
	chosen(t)
	page, err := os.ReadFile("../../../docs/LANGUAGES.md")
	if err != nil {
		t.Fatal(err)
	}
	uri, err := amqp.ParseURI(amqptest.URL(t))
	if err != nil {
		t.Fatal(err)
	}
	each(t, declares, func(t *testing.T, l language) {
		g := newGopher(t)
		said, code := run(t, l.declare, g.queue)
		_, words, refused := strings.Cut(said, "PRECONDITION_FAILED - ")
		if code == 0 || !refused {
			t.Fatalf("exit code %d:\n%s", code, said)
		}
		words, _, _ = strings.Cut(words, "type 'longstr'")
		words = strings.NewReplacer(g.queue, "orders", "vhost '"+uri.Vhost+"'", "vhost '/'").Replace(words)
		if !strings.Contains(strings.Join(strings.Fields(string(page)), " "), "PRECONDITION_FAILED - "+words+"type 'longstr'") {
			t.Errorf("docs/LANGUAGES.md does not have: %s", words)
		}
	})
}
