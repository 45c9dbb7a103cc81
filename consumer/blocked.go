package consumer

import (
	"fmt"
	"sync"
	"time"

	"github.com/bunnicula-go/bunnicula/consumer/internal/decide"
	"github.com/bunnicula-go/bunnicula/consumer/internal/watchdog"
)

// lateCopy is how long the confirm of a copy may take before the copy counts as blocked.
const lateCopy = 2 * time.Second

// noConfirm returns why a copy has no confirm, as far as the publishing connection knows.
func (s *settler) noConfirm() error {
	switch h := s.conn.Publishing().Health(); {
	case h.Blocked != "":
		return fmt.Errorf("the broker takes no messages (%s)", h.Blocked)
	case h.Err != nil:
		return fmt.Errorf("not connected (%w)", h.Err)
	}
	if trouble := s.sending.Trouble(); trouble != nil {
		return fmt.Errorf("no channel to publish on (%w)", trouble)
	}
	return fmt.Errorf("not confirmed for %s", lateCopy)
}

// blockedCopy counts and logs, once, that a message is held because its copy cannot be placed. It
// belongs to one copy on its way, which may never be blocked.
type blockedCopy struct {
	watchdog.Operation // expires when the copy has no confirm after lateCopy

	settler  *settler
	delivery *received
	copy     *decide.Copy

	release func() // ends the hold; nil if there is none. Only who goes on with the copy uses it

	// known says that the copy is counted as blocked, done that it never will be: it was placed or
	// refused for good, or its channel has ended. The watchdog and the settler write them.
	mu          sync.Mutex // guards known and done
	known, done bool
}

// Expired is called by the watchdog when the copy has waited for its confirm for lateCopy.
func (b *blockedCopy) Expired() { b.because(b.settler.noConfirm()) }

// because reports the copy as blocked, and why. Only the first call does. It holds no lock while it
// logs: over waits for that lock, and acks of other messages wait for over.
func (b *blockedCopy) because(err error) {
	if !b.count() {
		return
	}
	b.delivery.settled() // the gate does not stay closed for a blocked copy
	b.settler.log.Warn("copy not placed, holding the message",
		"message_id", b.delivery.loggedID(), "to", b.copy.To.RoutingKey, "exchange", b.copy.To.Exchange, "err", err)
}

// count counts the copy as blocked, and returns whether it did.
func (b *blockedCopy) count() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.known || b.done {
		return false
	}
	b.known = true
	b.settler.gauges.copies.Add(1)
	return true
}

// hold holds the message of a copy that the broker refuses for good, and which it could lose on
// its way to the error queue. The copy does not count as blocked then. Only the first call holds.
func (b *blockedCopy) hold(err error) {
	if b.release != nil {
		return
	}
	b.over()
	d, c := b.delivery, b.copy
	b.settler.log.Error("the broker refuses the copy of a message, which is held: its queue does not dead-letter at least once",
		"queue", b.settler.rules.Queue, "message_id", d.loggedID(), "delivery_tag", d.tag(),
		"to", c.To.RoutingKey, "exchange", c.To.Exchange, "err", err)
	b.release = b.settler.hold(d, decide.RefusedCopy(err))
}

// over is called when the copy is placed or refused for good, or the channel has ended.
func (b *blockedCopy) over() {
	b.settler.late.End(&b.Operation)
	if b.release != nil {
		b.release()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.known {
		b.settler.gauges.copies.Add(-1)
	}
	b.known, b.done = false, true
}
