package outbox

import (
	"context"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/backoff"
	"github.com/bunnicula-go/bunnicula/internal/foreign"
)

// isBusy returns whether a statement failed because another transaction has what it needs. SQLite
// says so at once, or after its busy_timeout, and PostgreSQL only if lock_timeout is set. Drivers
// have codes for it in common, not types.
func isBusy(err error) bool {
	return err != nil && foreign.Walk(err, func(e error) bool {
		switch e := e.(type) { //nolint:errorlint // Walk goes through the chain
		case interface{ Code() int }: // of SQLite; the lowest byte is the primary code
			return e.Code()&0xff == 5 || e.Code()&0xff == 6
		case interface{ SQLState() string }:
			return e.SQLState() == stateLocked
		}
		text := foreign.Text(e, 200)
		return strings.HasPrefix(text, "database is locked") || strings.HasPrefix(text, "database table is locked")
	})
}

// whileBusy calls f, and again while that says that the database is busy, for as long as patience.
func whileBusy(ctx context.Context, patience time.Duration, f func() error) error {
	until := time.Now().Add(patience)
	for wait := time.Millisecond; ; wait = min(2*wait, 32*time.Millisecond) {
		err := f()
		if !isBusy(err) || !time.Now().Before(until) || !backoff.Wait(ctx, wait/2+rand.N(wait)) {
			return err
		}
	}
}
