package consumer

import "time"

// Pace leaves a new Consumer's prefetch open, up to many, and lets it decide often.
func Pace(c *Consumer, many int) { c.lookahead.many, c.lookahead.window = many, 2 }

// Hurry shortens how long a new Consumer's gate waits for handlers that have begun.
func Hurry(c *Consumer, patience time.Duration) { c.pool.gate.patience = patience }
