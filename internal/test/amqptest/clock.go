package amqptest

import (
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"
)

// OwnClock is a setting of [StartBroker] that gives the node a clock which [Broker.SetClock] sets. It needs
// Linux, and libfaketime, which is installed if it is missing.
var OwnClock = Setting{Name: "own clock"}

// SetClock sets the node's clock ahead of the machine's, or behind if it is negative, by whole seconds. Only the time of
// day changes, as when somebody sets a clock; what measures how long something takes goes on. It is kept over
// restarts.
func (b *Broker) SetClock(ahead time.Duration) {
	b.t.Helper()
	b.script("clock", fmt.Sprintf("%+d", ahead/time.Second))
}

// takeOwnClock says whether OwnClock is among the settings, as BROKER_CLOCK has it, and returns the others.
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
