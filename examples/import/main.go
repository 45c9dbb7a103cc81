// Import is the story that job queues are for: a customer connects an integration, and
// all of its past conversations have to be fetched from an API that is rate limited and
// fails at times.
//
// One job lists the conversations, page by page, and publishes a job for each. Those are
// imported a few at a time: what is turned away (429) snoozes, what fails (5xx, no answer)
// is retried, and what cannot be had (404, 401) is parked. In the end every conversation is
// accounted for, by its id: it is imported, or it stands in the error queue with the reason.
//
//	go run ./examples/import -h
//
// The files, in the order of the story:
//
//	options.go       the flags
//	data.go          the conversations: 3,080 real customer messages
//	api/             the integration's API, played on loopback
//	run.go, work.go  one import from start to summary
//	app.go           the fx app
//	history.go       the consumer that lists
//	conversation.go  the consumer that imports
//	client.go        the API, as they see it
//	crash.go         a middleware that makes handlers die at the wrong moment
//	ledger.go        what was done, in a file, so that a new start goes on
//	tally.go         a monitor of our own; progress.go shows what it counts
//	broker.go        looks into the queues; parked.go reads the error queue
//	account.go       is everything accounted for? summary.go says so
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
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}
