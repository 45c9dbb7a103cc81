// Package amqptest is what tests need that talk to a real broker. It never skips in
// silence: without a broker a test fails, and says how to start one.
//
// Each test has a connection of its own, opened when it is first needed and closed at
// its cleanup, so helpers such as [Depth] and [Publish] take only the test. It is not
// what is being tested: cut, freeze or exhaust connections made elsewhere, through a
// [Proxy], and look at the broker's queues with these.
//
// All tests share a broker, and packages are tested side by side. A test that kills, freezes,
// fills or reconfigures one starts its own: [StartBroker], or three that belong together:
// [StartCluster]. What is to die as a whole process is a [Process].
package amqptest
