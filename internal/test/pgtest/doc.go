// Package pgtest gives a test a database in PostgreSQL, or a server that it stops and kills.
//
//	db := pgtest.DB(t)           // of its own, in the server that all tests share
//	server := pgtest.Start(t)    // a server of its own
//
// Tests that need one take long (amqptest.Long), so make postgres and make test-all run them, and
// make test does not.
//
// The shared server is that of the environment: eval "$(scripts/postgres env)". Without it the
// first test of a process starts one, which ends with the process.
package pgtest
