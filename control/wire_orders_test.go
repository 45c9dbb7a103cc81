package control_test

import (
	"context"
	"regexp"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/brokertest"
	"github.com/bunnicula-go/bunnicula/control"
	"github.com/bunnicula-go/bunnicula/internal/test/wirefixtures"
	"github.com/bunnicula-go/bunnicula/internal/transport"
)

var (
	anyID     = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)
	anyMoment = regexp.MustCompile(`20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z`)
	anyPlace  = regexp.MustCompile(`"host":"[^"]*","pid":\d+`)
	anyReply  = regexp.MustCompile(`^amq\.rabbitmq\.reply-to\..*`)
)

// normalOrder gives a delivery the values of the files.
func normalOrder(d amqp.Delivery) amqp.Delivery {
	id := func(s string) string { return anyID.ReplaceAllString(s, "0198a1b2-0000-7000-8000-000000000001") }
	d.MessageId, d.CorrelationId = id(d.MessageId), id(d.CorrelationId)
	d.Timestamp = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	d.ReplyTo = anyReply.ReplaceAllString(d.ReplyTo, "amq.rabbitmq.reply-to.g1h2AA5yZXBseUA")
	d.RoutingKey = anyReply.ReplaceAllString(d.RoutingKey, "amq.rabbitmq.reply-to.g1h2AA5yZXBseUA")
	body := anyMoment.ReplaceAllString(id(string(d.Body)), "2026-01-02T03:04:05Z")
	d.Body = []byte(anyPlace.ReplaceAllString(body, `"host":"worker-1","pid":17`))
	delete(d.Headers, "x-stream-offset")
	if len(d.Headers) == 0 {
		d.Headers = nil
	}
	return d
}

// openChannel opens a channel on the consuming link.
func openChannel(t *testing.T, conn transport.Connection) transport.Channel {
	t.Helper()
	session, err := conn.Consuming().Session(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ch, err := session.Channel(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return ch
}

// consumeAll returns what comes from a stream.
func consumeAll(t *testing.T, ch transport.Channel, stream string) <-chan amqp.Delivery {
	t.Helper()
	if err := ch.Qos(1000, 0, false); err != nil {
		t.Fatal(err)
	}
	in, err := ch.Consume(stream, "", false, false, false, false, amqp.Table{"x-stream-offset": "first"})
	if err != nil {
		t.Fatal(err)
	}
	return in
}

// ask publishes an ask, and returns where the answers come.
func ask(t *testing.T, ch transport.Channel, body string) <-chan amqp.Delivery {
	t.Helper()
	const replies = "amq.rabbitmq.reply-to"
	answers, err := ch.Consume(replies, "", true, false, false, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ch.Publish(control.ControlStream, control.ControlStream, true, amqp.Publishing{Type: "ask", ReplyTo: replies, Body: []byte(body)}); err != nil {
		t.Fatal(err)
	}
	return answers
}

func TestWireOfOrders(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *brokertest.Broker) {
		simulatedProcess(t, b, control.AgentConfig{}, acks, "orders")
		fleet := fleetOf(t, b.Connection(), "")
		named := control.Command{Consumers: []string{"orders"}, By: "anna@laptop", Why: "the database moves"}
		forHours := named
		forHours.For = 2 * time.Hour
		forever := named
		forever.Forever = true
		for _, give := range []func(context.Context) (control.Receipt, error){
			func(ctx context.Context) (control.Receipt, error) { return fleet.Pause(ctx, forHours) },
			func(ctx context.Context) (control.Receipt, error) { return fleet.Resume(ctx, named) },
			func(ctx context.Context) (control.Receipt, error) { return fleet.Limit(ctx, 2, forever) },
		} {
			if _, err := give(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		at := time.Now().UTC().Format(time.RFC3339Nano)
		answers := ask(t, openChannel(t, b.Connection().Transport()), `{"version":1,"id":"0198a1b2-0000-7000-8000-000000000001","kind":"ask","at":"`+at+`","running":true}`)
		wirefixtures.Compare(t, "orders/answer", "What a process answers to an ask.", wirefixtures.Of(normalOrder(<-answers), "amq.rabbitmq.reply-to"))
		time.Sleep(6 * 24 * time.Hour) // the limit is written again

		about := map[string]string{
			"pause": "An order that consumers pause for two hours.", "resume": "An order that lifts what stands.",
			"limit": "An order that consumers run two handlers at most, until another order.", "ask": "A question to all processes.",
			"limit-again": "The same order, written again before the stream drops it.",
		}
		records := consumeAll(t, openChannel(t, b.Connection().Transport()), control.ControlStream)
		for len(about) > 0 {
			select {
			case d := <-records:
				name := d.Type
				if regexp.MustCompile(`"again":true`).Match(d.Body) {
					name += "-again"
				}
				if about[name] != "" {
					wirefixtures.Compare(t, "orders/"+name, about[name], wirefixtures.Of(normalOrder(d), "control"))
					delete(about, name)
				}
			case <-time.After(time.Minute):
				t.Fatalf("there are no records of %v", about)
			}
		}
	})
}
