package consumer

// Order is what somebody outside of the app wants of a consumer: an operator, by package control.
// The zero Order wants nothing.
type Order struct {
	Paused bool   // takes no messages, as after Pause
	Limit  int    // at most so many handlers at once; 0 for no limit
	Why    string // who ordered it, and why, for Health and the log
}

// Obey carries an Order out, in the place of the one before. It returns at once. What the app itself
// has said by Pause and Limit stays beside it: the consumer works if neither has paused it, and the
// lower limit counts. A Limit above Spec.Concurrency is the Concurrency, and a negative one is none.
func (c *Consumer) Obey(o Order) { panic("not yet") }

// Limit lets at most n handlers run at once from now on; handlers that run go on. 0 lifts the
// limit. It returns at once. The error says that n is negative or above Spec.Concurrency; nothing
// has changed then.
func (c *Consumer) Limit(n int) error { panic("not yet") }
