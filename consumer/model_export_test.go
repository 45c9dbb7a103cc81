package consumer

// NewOver makes a Consumer over a broker in simulated time.
var NewOver = newOver

// Pace leaves a new Consumer's prefetch open, up to many, and lets it decide often.
func Pace(c *Consumer, many int) { c.pace.many, c.pace.window = many, 2 }
