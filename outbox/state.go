package outbox

import (
	"fmt"
	"strings"
)

// State is what became of a row so far.
type State int

// The states. Their numbers stand in the database and never change.
const (
	Waiting State = 0 // to be published when it is due
	Held    State = 1 // to be published when the row that it needs is done
	Sent    State = 2 // published; its job waits for it to be handled
	Done    State = 3 // handled; kept for its job's counts
	Parked  State = 4 // published, and given up by its consumer
	Failed  State = 5 // not published, and given up by the relay
	taken   State = 6 // SQLite: being published by the relay that has the lease
)

var stateNames = [...]string{"waiting", "held", "sent", "done", "parked", "failed", "waiting"}

// String is the state's name in lower case. A row that is being published is waiting.
func (s State) String() string {
	if s < 0 || int(s) >= len(stateNames) {
		return "unknown"
	}
	return stateNames[s]
}

// MarshalText writes the state's name.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// ParseState returns the state with a name, such as "failed".
func ParseState(name string) (State, error) {
	for s, n := range stateNames[:Failed+1] {
		if n == name {
			return State(s), nil
		}
	}
	return 0, fmt.Errorf("outbox: the state is %q, want one of %s", name, strings.Join(stateNames[:Failed+1], ", "))
}
