package decide

import "time"

// Result is what a handler said of a message. The zero Result is that of a forgotten return.
type Result struct {
	Verdict Verdict
	Err     error
	Delay   time.Duration // of RetryAfter and Snooze; else 0
}

// Verdict is the kind of a Result.
type Verdict int

// The verdicts. The zero Verdict is none of them, and is retried.
const (
	Ack Verdict = iota + 1
	Retry
	RetryAfter
	Snooze
	Error
	Timeout     // the handler says that something it waited for took too long
	Undecodable // the body could not be decoded
)

// Ending says how an attempt ended.
type Ending struct {
	Result      Result
	Panicked    error  // what the handler panicked with, or that it called runtime.Goexit
	Stack       string // of the panic, or of a handler that did not return
	TimedOut    bool
	Interrupted bool // a stop cancelled the handler
	Duration    time.Duration
}
