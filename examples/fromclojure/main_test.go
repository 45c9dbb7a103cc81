package main

import (
	"context"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.uber.org/fx"
	"go.uber.org/fx/fxtest"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/monitoring/monitoringtest"
	"github.com/bunnicula-go/bunnicula/publisher"
)

// The invoices are published as publishers in Clojure do: with a delivery mode and no other
// property.
func TestInvoicesFromClojureAreEntered(t *testing.T) {
	t.Setenv("AMQP_URL", amqptest.URL(t))
	t.Setenv("AMQP_VHOST", "")
	t.Setenv("SENTRY_DSN", "")
	var seen monitoringtest.Recorder
	var ledger *Ledger
	invoices, receipts := amqptest.Queue(t, "invoices"), amqptest.Queue(t, "receipts")
	app := fxtest.New(t, app(), inQueues(map[string]string{"invoices": invoices, "receipts": receipts}),
		monitoring.Provide(func() monitoring.Monitor { return &seen }), fx.Populate(&ledger), fx.NopLogger)
	app.RequireStart()
	defer app.RequireStop()

	for _, body := range []string{
		`{"number":2,"customer-id":"first"}`, `{"number":3,"customer-id":"second"}`, `{"customer-id":"first"}`,
	} {
		amqptest.Publish(t, "amq.direct", invoices, amqp.Publishing{DeliveryMode: 2, Body: []byte(body)})
	}
	ended := func(body string, attempt int, action monitoring.Action) bool {
		for _, end := range seen.Ends() {
			if string(end.Delivery.Body) == body && end.Delivery.Attempt == attempt && end.Outcome.Action == action {
				return true
			}
		}
		return false
	}
	want := func(body string, attempt int, action monitoring.Action) {
		t.Helper()
		amqptest.Eventually(t, 10*time.Second, func() bool { return ended(body, attempt, action) }, "%s was not %s at attempt %d", body, action, attempt)
	}
	want(`{"number":1,"customer-id":"first"}`, 1, monitoring.Acked) // from SendInvoice
	want(`{"number":2,"customer-id":"first"}`, 1, monitoring.Acked)
	want(`{"customer-id":"first"}`, 1, monitoring.Parked)
	want(`{"number":3,"customer-id":"second"}`, 1, monitoring.Retried)
	ledger.SignUp("second")
	want(`{"number":3}`, 1, monitoring.Acked) // its receipt
	if d := amqptest.Get(t, invoices+"-error"); d.Headers["bunnicula-error"] != "invoice has no number" {
		t.Errorf("parked with the headers %v", d.Headers)
	}
}

// inQueues renames queues, because the test's broker may be somebody's, and makes retries quick.
func inQueues(names map[string]string) fx.Option {
	const specs = `group:"bunnicula.specs"`
	return fx.Options(
		fx.Decorate(fx.Annotate(func(all []consumer.Spec) []consumer.Spec {
			for i := range all {
				all[i].Queue, all[i].Backoff = names[all[i].Queue], []time.Duration{200 * time.Millisecond}
			}
			return all
		}, fx.ParamTags(specs), fx.ResultTags(specs))),
		fx.Decorate(func(pub publisher.Publisher) publisher.Publisher { return renamed{pub, names} }),
	)
}

type renamed struct {
	publisher.Publisher
	names map[string]string
}

func (r renamed) Publish(ctx context.Context, key string, payload any, opts ...publisher.Option) error {
	return r.Publisher.Publish(ctx, r.names[key], payload, opts...)
}
