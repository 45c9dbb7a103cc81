// Outbox is an order service whose messages are in its database before they are in a queue: an
// order is committed with what is to be done about it, or there is neither.
//
// POST /orders writes an order and puts two messages, in one transaction: one has its invoice
// written, the other its mail sent. The mail names the number of the invoice, so it needs the
// invoice first. An order of a customer without the credit for it is rejected after both were put,
// and the rollback takes them along. A relay publishes what is committed, and two consumers do the
// work, each in the transaction in which it notes that it did.
//
// The example runs the service, the relay and two workers as processes of their own, places orders
// over HTTP, kills what it has started at random moments, and starts it again. A client whose
// answer was lost repeats its order under the same id. In the end every order is accounted for, by
// its id: it was rejected, and there is nothing of it, or it was accepted, and has one invoice and
// one mail. The numbers of the invoices have no gap.
//
//	go run ./examples/outbox                     # 200 orders in SQLite, and the account
//	go run ./examples/outbox -kills 10           # and processes that are killed at random moments
//	OUTBOX_DSN=postgres://user:secret@localhost/shop go run ./examples/outbox -kills 10
//	go run ./examples/outbox serve               # the whole service as one process, until ^C
//	curl -i -d '{"id":"1","customer":"ann","email":"ann@example.com","cents":500}' localhost:8080/orders
//	curl localhost:8080/orders/1
//	go run ./examples/outbox -h
//
// AMQP_URL says where the broker is. With PostgreSQL the sessions of the database are killed too.
// In SQLite one relay at a time publishes, and the lease of a killed one ends after 20 s: -victims
// shop,worker leaves it alone. With -kill-broker the broker is killed, by a command of yours:
//
//	go run ./examples/outbox -kills 10 -kill-broker "docker restart --signal KILL rabbitmq"
//
// The files, in reading order:
//
//	orders.go               places an order: one transaction for the data and its messages
//	invoices.go, mails.go   the consumers
//	app.go                  the app of connection, relay and consumers; http.go is its door
//	database.go             the tables, in SQLite or PostgreSQL
//	options.go, run.go      one run from start to account; serve.go: one process
//	client.go               places the orders, and repeats what was not answered
//	wait.go, queues.go      when it is over
//	tally.go                the progress
//	books.go                what a run has left in the tables
//	audit.go, summary.go    is everything accounted for?
//
// What starts processes, kills them and counts queues is in examples/internal/drill.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second ^C ends at once
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
