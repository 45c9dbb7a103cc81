package consumer

// NewOver makes a Consumer over a broker in simulated time.
var NewOver = newOver
