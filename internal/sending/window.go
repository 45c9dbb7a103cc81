package sending

// account is a number of places for messages in flight. There is the window, and each lane has one
// for its stuck keys, an eighth as large, so that a queue that does not confirm leaves the window
// to others.
type account chan struct{}

func (a account) give() { <-a }

// tryTake is false when no place is free.
func (a account) tryTake() bool {
	select {
	case a <- struct{}{}:
		return true
	default:
		return false
	}
}
