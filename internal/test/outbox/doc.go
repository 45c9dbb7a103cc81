// Package outbox kills whatever takes part in an outbox, and makes the account afterwards.
//
// Processes of the test binary are an application: producers, which Put in transactions of their
// own; relays; and consumers with Once, whose handlers write and Put in turn. Producers roll some
// transactions back, and die in the middle of others. A seed decides when a process is killed, the
// network is cut, a session of the database is ended, and the database server and the broker are
// killed and started again. Then everything is let run out, and the account compares the ids in
// the database with those in the queues:
//
//	producer     writes a line of the ledger in the transaction of each message
//	witness      a queue that gets a copy of everything that is published, and that nobody consumes
//	consumer     writes a line of its effects in the transaction of Once
//	audit        takes the ledger, the witness, the effects, the error queues and the rows that are
//	             left; it returns what is wrong
//
// The package has tests only. How to run it, with OUTBOX = ./internal/test/outbox:
//
//	go test OUTBOX -short                      the audit's own tests
//	go test OUTBOX                             one seed on SQLite, and one on PostgreSQL
//	go test OUTBOX -v -seeds 20 -seed 7        twenty seeds from 7 on; make outbox SEEDS=20 SEED=7
package outbox
