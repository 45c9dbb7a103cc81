// Package amqptest has helpers for tests with a real broker. It never skips silently: without a
// broker a test fails, and says how to start one.
//
// Each test has a connection of its own, so helpers such as [Depth] and [Publish] take only the
// test. The connection is opened when it is first needed, and closed at the test's cleanup. It is
// not under test: cut, freeze or exhaust other connections, through a [Proxy], and examine the
// broker's queues with these helpers.
//
// All tests share a broker, and packages are tested in parallel. A test that kills, freezes, fills
// or reconfigures a broker starts its own: [StartBroker], or [StartCluster] for three nodes. A part
// that must die as a whole process is a [Process].
package amqptest
