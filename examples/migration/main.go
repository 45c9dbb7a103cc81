// Migration moves the customers of an old system into a new one by two programs that share nothing
// but a queue. One exports: it publishes each record of the old system's file, and notes how far it
// has come. The other imports: it writes each record into the new system's database. Either may be
// stopped or killed at any moment, and goes on where it stood when it is started again.
//
// What is published twice has the same message id, which is made of the record's, and the import
// writes each id once. A record that cannot be imported has three tries, and is then parked in the
// error queue with the reason. The first version of the import does not know one way in which the
// old system wrote dates; -fixed is the next version. Then the parked messages are redriven. Some
// records have no date at all: they stay aside, and are in the account.
//
//	go run ./examples/migration export            # ^C or kill it, and start it again
//	go run ./examples/migration import            # in another terminal, as often as you like
//	go run ./examples/migration account           # at any moment: published, imported, parked, in transit
//	go run ./cmd/bunnicula status example-migration --delays 200ms,500ms --watch
//	go run ./cmd/bunnicula peek example-migration --delivery-limit 100
//	go run ./cmd/bunnicula errors groups example-migration
//	go run ./examples/migration import -fixed     # the next version, in the place of the first
//	go run ./cmd/bunnicula errors redrive example-migration --all
//	go run ./examples/migration account           # 0 if every record is accounted for, by its id
//	go run ./examples/migration forget            # deletes the queues and the files
//	go run ./examples/migration -h
//
// AMQP_URL says where the broker is. The account reads the files of both programs; neither of them
// reads the other's. It takes what was published from the position of the export, what was imported
// from the database and what failed from the error queue, because a queue does not count what has
// passed it. peek shows what waits and leaves it there; docs/COMMAND.md (Messages in transit) says
// what that costs, and what AMQP cannot tell of a queue: the messages that an importer has in hand,
// and those far behind its head.
//
// The files, in reading order:
//
//	options.go      the flags
//	queue.go        what both programs know: the queue, and the message
//	old.go          the old system: makes its file, and reads it from a position on
//	position.go     how far the export has come
//	export.go       publishes
//	birthday.go     how the old system wrote dates: the bug, and its fix
//	import.go       the consumer
//	store.go        the new system's database
//	run.go          the commands
//	account.go      is every record accounted for?
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
