// Import is what job queues are for: a customer connects an integration, and the app fetches all of
// its past conversations from an API that limits the rate of requests and fails at times.
//
// One consumer lists the conversations, page by page, and publishes a job for each. Another imports
// them, some at a time. Both keep each account's requests below what the API allows it: a job whose
// account has no request left snoozes until its turn, and is no longer in the way. So a small
// account that comes behind a big one does not wait for it, and hardly a request is refused. A job
// that is refused all the same (429) snoozes as long as the API says. A job whose request fails
// (5xx, no answer) is retried. A job whose conversation cannot be had (404, 401) is parked. In the
// end every conversation is accounted for, by its id: it is imported, or it stands in the error
// queue with the reason.
//
//	go run ./examples/import -h
//
// The files, in reading order:
//
//	options.go       the flags
//	data.go          the accounts and their conversations: 3,080 real customer messages
//	api/, serve.go   the integration's API, played on loopback
//	run.go, work.go  one import from start to summary
//	app.go           the fx app, and the limit of requests that its consumers share
//	jobs.go          the messages
//	history.go       the consumer that lists
//	conversation.go  the consumer that imports
//	client.go        the client of the API that both use
//	crash.go         a middleware that panics after the work
//	ledger.go        what was done, in a file, so that a new start continues
//	tally.go         a monitor of our own; progress.go is what it counts, screen.go shows it
//	broker.go        looks into the queues; parked.go reads the error queue
//	audit.go         is everything accounted for? summary.go says so
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
