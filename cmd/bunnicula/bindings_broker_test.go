package main

import (
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
)

const invoices = `consumers:
  - queue: invoices
    delays: [1s]
    bindings:
      - exchange: docs
        kind: headers
        keys: [""]
        arguments: {x-match: all, kind: invoice, version: VERSION}
`

// A headers exchange routes by the arguments of bindings, and by nothing else.
func TestABindingWhoseArgumentsChangedIsShownAndBound(t *testing.T) {
	amqptest.Long(t)
	b, api := amqptest.StartManaged(t)
	s := online(t)
	s.env["AMQP_URL"] = b.URL
	before := file(t, strings.Replace(invoices, "VERSION", "1", 1))
	after := file(t, strings.Replace(invoices, "VERSION", "2", 1))
	s.run("topology", "apply", "--yes", "--file", before).want(t, exitOK)

	s.run("topology", "plan", "--file", after).want(t, exitOK, `? binding   invoices <- docs "" kind=invoice version=2 x-match=all`, "AMQP cannot tell")
	s.env["RABBITMQ_MANAGEMENT_URL"] = api
	s.run("topology", "plan", "--file", before).want(t, exitOK, `= binding   invoices <- docs "" kind=invoice version=1 x-match=all`)
	s.run("topology", "plan", "--file", after).want(t, exitFound,
		`+ binding   invoices <- docs "" kind=invoice version=2 x-match=all`,
		`* binding   invoices <- docs "" kind=invoice version=1 x-match=all`, "1 beyond the file")
	s.run("topology", "apply", "--yes", "--file", after).want(t, exitOK, "declared")
	s.run("topology", "plan", "--file", after).want(t, exitOK, `= binding   invoices <- docs "" kind=invoice version=2`, `* binding   invoices <- docs "" kind=invoice version=1`)
	s.run("topology", "prune", "--yes", "--file", after).want(t, exitOK)

	ch, err := amqptest.DialURL(t, b.URL).Channel()
	if err != nil {
		t.Fatal(err)
	}
	for version := range 3 { // 1 is bound still, and so is 2
		if err := ch.Publish("docs", "", false, false, amqp.Publishing{Headers: amqp.Table{"kind": "invoice", "version": int64(version)}}); err != nil {
			t.Fatal(err)
		}
	}
	amqptest.Eventually(t, 10*time.Second, func() bool {
		q, err := ch.QueueDeclarePassive("invoices", true, false, false, false, nil)
		return err == nil && q.Messages == 2
	}, "what is bound does not get its messages")
}
