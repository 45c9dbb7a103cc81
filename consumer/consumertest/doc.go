// Package consumertest runs the handler of a consumer.Spec in a test, without a broker, and
// asserts what would be done about each message.
//
//	q := consumertest.New(t, Orders(&publishertest.Recorder{}))
//	q.Deliver(Order{ID: 7}).AssertAcked()
//	q.Deliver(Order{}).AssertParked(monitoring.ReasonError)
//
// Decoding, timeouts, panics, retries and headers are those of production: it is the same
// code. Time is real unless the test runs in a bubble of testing/synctest, where a handler
// may run past its timeout at once.
package consumertest
