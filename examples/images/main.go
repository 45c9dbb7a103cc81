// Images is a queue in front of work that takes processor time: requesters ask for pictures to be
// turned black and white, and workers do it, in Go and in Node.
//
// The queues are declared ahead, by the command; the workers may declare nothing. A request is
// routed by a topic, images.png.bw for example, and its body is the picture. A result is written in
// one step, under the message's id, so it does not matter how often a request is handled. When it
// is written the requester gets a notice. Some requests are trouble: what is no picture is parked
// at once, a picture with too many pixels too, what fails five times is parked then, and so is a
// picture that kills each process that decodes it. Requests are sent twice at times, and workers
// can be killed at random. In the end every request is accounted for: its result is there and is
// grey, pixel by pixel, or it stands in the error queue with the reason.
//
//	go run ./examples/images                       # a fleet of workers, requests, and the account
//	go run ./examples/images -kills 10             # and workers that are killed at random moments
//	go run ./examples/images topology              # what the workers need, for the command
//	go run ./examples/images worker                # one worker, until ^C
//	go run ./examples/images -h
//
// AMQP_URL says where the broker is. With RABBITMQ_MANAGEMENT_URL the workers get a user of their
// own that may configure nothing. The worker in Node runs beside those in Go with
//
//	npm ci --prefix examples/images/node --ignore-scripts
//	go run ./examples/images -node examples/images/node/worker.js
//
// The files, in reading order:
//
//	worker.go, bw.go       the worker: its queue, and its work
//	results.go             where the results are; seen.go: what was done before
//	topology.go            what is declared ahead (topology.yml); users.go: who may what
//	requests.go            the pictures, and the trouble
//	requester.go           publishes, and counts notices
//	node/worker.js         a worker in another language
//	options.go, run.go     one run from start to account; wait.go: when it is over
//	fleet.go               starts worker processes, kills them, and starts them again
//	broker.go, parked.go   look into the queues
//	tally.go               the progress
//	audit.go, summary.go   is everything accounted for?
//
// What looks into queues and shows the progress is in examples/internal/drill.
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
