package consumer

// Partitioned returns n Specs, one for each partition of the Spec's queue, so that messages with one
// key are handled in the order in which they were published.
func Partitioned(n int, spec Spec) []Spec { panic("not yet") }
