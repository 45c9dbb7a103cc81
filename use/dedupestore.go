package use

import (
	"context"
	"fmt"
	"time"
)

// Store is what Dedupe asks which messages are done or being handled. NewMemory makes one for one
// process, and package use/redis one for a fleet. It is safe for use by many goroutines at once.
//
// A key is free, claimed or marked as done. A claim has a token, which is another one for each
// claim, and ends with its lease, by the clock of the Store. A mark ends after keep. Keys may have
// some 600 bytes, and any bytes.
type Store interface {
	// Claim claims a key that is free for the lease: ClaimNew. For a key that was claimed with the
	// same token the lease begins anew, and the answer is ClaimNew too. A key that was claimed with
	// another token is ClaimBusy until that lease ends, and one that is marked is ClaimDone. An
	// error means that the Store does not know: the message is not handled, and snoozes.
	Claim(ctx context.Context, key, token string, lease time.Duration) (Claim, error)

	// Settle ends the claim with this token. If the work is done the key is marked for keep,
	// otherwise it is free. Settle may come when the lease has ended. A key that is claimed with
	// another token, or that is marked, stays as it is. A key that is free is marked if the work is
	// done: somebody has done it, and nobody else is about to. ctx has at most two seconds, and
	// does not end when the handler's does.
	Settle(ctx context.Context, key, token string, done bool, keep time.Duration) error
}

// Claim is the answer of a Store.
type Claim struct {
	State ClaimState

	// Left is when the lease of the other claim ends: of ClaimBusy alone.
	Left time.Duration

	// Lapses is how many claims of the key have ended with their lease, one after the other,
	// because the process of each died or its handler did not return: of ClaimNew alone. When a
	// claim is settled the count begins anew. Dedupe parks a message with ten. A Store that dies
	// with its process may leave it 0. One that outlives it must count, or a message that kills its
	// process is handled again and again.
	Lapses int
}

// ClaimState says whether a handler may run.
type ClaimState int

// The states. The zero ClaimState is none of them.
const (
	ClaimNew  ClaimState = iota + 1 // the handler runs
	ClaimBusy                       // another copy is being handled, or was when its process died
	ClaimDone                       // it was handled, and acked
)

// check returns an error for an answer that no Store may give.
func (c Claim) check() error {
	switch {
	case c.State < ClaimNew || c.State > ClaimDone:
		return fmt.Errorf("it answers with Claim.State %d, want ClaimNew, ClaimBusy or ClaimDone", c.State)
	case c.Left < 0 || c.Left > farthest:
		return fmt.Errorf("it answers with Claim.Left %s, want 0 to %s", c.Left, farthest)
	case c.Lapses < 0:
		return fmt.Errorf("it answers with Claim.Lapses %d, want 0 or more", c.Lapses)
	}
	return nil
}
