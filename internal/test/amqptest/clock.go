package amqptest

import (
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"
)

// OwnClock is a setting of [StartBroker]: the node has a clock of its own, which [Broker.SetClock]
// sets. It needs Linux, and libfaketime, which is installed if it is missing.
var OwnClock = Setting{Name: "own clock"}

// SetClock sets the node's clock ahead of the machine's, or behind it if ahead is negative, by
// whole seconds. It changes the time of day only, as setting a host's clock does; monotonic time
// goes on. The offset stays over restarts.
func (b *Broker) SetClock(ahead time.Duration) {
	b.t.Helper()
	b.script("clock", fmt.Sprintf("%+d", ahead/time.Second))
}

// takeOwnClock says whether OwnClock is among the settings, in the form of the variable
// BROKER_CLOCK, and returns the other settings.
func takeOwnClock(t testing.TB, settings []Setting) (string, []Setting) {
	t.Helper()
	if !slices.Contains(settings, OwnClock) {
		return "", settings
	}
	if runtime.GOOS != "linux" {
		t.Skip("a broker with a clock of its own: only on Linux")
	}
	return "own", slices.DeleteFunc(slices.Clone(settings), func(s Setting) bool { return s == OwnClock })
}
