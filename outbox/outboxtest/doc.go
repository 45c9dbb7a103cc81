// Package outboxtest is for tests of programs that use an outbox.
//
//	db, box := outboxtest.New(t)                 // in a new SQLite file, with its tables
//	... a handler or a service of yours, which puts messages ...
//	sent := outboxtest.Relay(t, box, nil)        // what a relay would publish now
//	q := consumertest.New(t, Mails(box))
//	outboxtest.Idempotent(t, db, q, sent.Messages[0].Body, outboxtest.As(sent.Messages[0]))
//
// All of it works in a bubble of testing/synctest too, and so beside brokertest: the time of
// SQLite's rows is the program's own. Call New in the bubble then.
//
// A program that runs on PostgreSQL has statements that SQLite does not know, and waits for locks
// where SQLite has one writer. Test those against a PostgreSQL.
package outboxtest
