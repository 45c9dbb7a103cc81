package consumer

// Pace leaves a new Consumer's prefetch open, up to many, and lets it decide often.
func Pace(c *Consumer, many int) { c.lookahead.many, c.lookahead.window = many, 2 }
