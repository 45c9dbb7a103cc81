package sending

import (
	"time"

	"github.com/bunnicula-go/bunnicula/internal/transport"
)

const (
	// beat is how long a request on another channel counts at least.
	beat = 100 * time.Millisecond
	// heldAfter is how many beats a shared lane's channel may take for an answer. There is one more
	// for each keysPerBeat keys on it: the first message of a channel to a quorum queue waits for a
	// majority's disks, and those to other queues wait behind it.
	heldAfter   = 4
	keysPerBeat = 32
)

// doubt is whether a channel that does not answer is held. A queue without majority holds up all
// behind the first message that the channel sends it, and the confirms of what went before, for
// 65 s. A broker that is slow, or does not read from the connection, is slow on other channels too,
// and so is a process that has no time to read. So the channel's time is counted in beats: requests
// on another channel of the session, one after the other, that were answered.
type doubt struct {
	beats int
	began time.Time // the request that is to be the next beat; zero before the first
	pulse uint64    // the session's by then
}

// grow counts beats while the channel does not answer. It is called much more often than there are
// beats: one that comes a moment too early is only counted at the next call.
func (d *doubt) grow(session transport.Session, now time.Time) (beats int) {
	if now.Sub(d.began) < beat {
		return d.beats
	}
	pulse := session.Pulse()
	if !d.began.IsZero() && pulse == d.pulse {
		return d.beats
	}
	if !d.began.IsZero() {
		d.beats++
	}
	d.began, d.pulse = now, pulse
	return d.beats
}
