// Package redistest starts a redis-server for a test, which stops, kills, freezes and flushes it.
//
//	server := redistest.Start(t)
//	client := server.Client(t)
//
// Tests that need one take long (amqptest.Long), so make test-all runs them and make test does not.
package redistest
