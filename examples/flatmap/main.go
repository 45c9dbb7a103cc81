// Flatmap saves the transactions of all accounts of a bank: a list of accounts becomes a message
// for each account, and its list of transactions a message for each row, which is written to a
// database. It is one job of three stages. Its progress is read from a stream of RabbitMQ, and no
// table holds it.
//
// The bank is a server of this program. It is slow, refuses requests for a while, cuts answers in
// the middle and leaves some without one. The last account has very many rows: its message emits
// some of them and then a continuation, so neither the handler's time nor its memory depends on how
// many there are.
//
// The example runs the workers as processes of their own, kills what it has started at random
// moments, and starts it again. Workers are killed in the middle of a transaction too, and the
// database is locked for a while. Meanwhile it compares what the progress says with what is in the
// database. In the end all rows are compared with those of a plain run: one process, no queue, and
// a bank without a fault.
//
//	go run ./examples/flatmap                     # 30 accounts, some 2500 rows, and the account
//	go run ./examples/flatmap -kills 10           # and what is killed at random moments
//	go run ./examples/flatmap -rows 100000 -workers 4
//	go run ./examples/flatmap -h
//
// AMQP_URL says where the broker is. With -kill-broker the broker is killed, by a command of yours:
//
//	go run ./examples/flatmap -kills 10 -kill-broker "docker restart --signal KILL rabbitmq"
//
// The database is SQLite, so it has no sessions or server that could be killed. A write lock that
// somebody else holds is what a service meets there, and a process that dies with a transaction
// open.
//
// The files, in reading order:
//
//	stages.go            the three stages
//	client.go            reads a list of the bank while it comes
//	database.go          the table
//	app.go, work.go      a worker: an fx app of the stages
//	bank                 the bank
//	options.go, run.go   one run from start to account
//	start.go, watch.go   starts the job; follows its progress, and checks it
//	screen.go, tally.go  shows it
//	wait.go, queues.go   when it is over
//	plain.go             the plain run
//	compare.go           both runs, row by row
//	audit.go, summary.go is everything as it should be?
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
