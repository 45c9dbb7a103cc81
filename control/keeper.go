package control

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/foreign"
)

// keeper does what time does to orders: it ends those whose time is over, and lets consumers go
// that were held for as long as the Agent has patience.
type keeper struct {
	ledger   *ledger       // immutable
	patience time.Duration // immutable
	maxAge   time.Duration // immutable
	log      *slog.Logger  // immutable
	changed  signal        // set by the ledger
}

func (k *keeper) run(ctx context.Context) {
	for {
		next, freed := k.ledger.tick(time.Now(), k.patience, k.maxAge)
		if len(freed) > 0 {
			k.warn(freed)
		}
		due, stop := alarm(next)
		select {
		case <-due:
		case <-k.changed:
		case <-ctx.Done():
		}
		stop()
		if ctx.Err() != nil {
			return
		}
	}
}

// warn tells that consumers start without their orders.
func (k *keeper) warn(consumers []string) {
	k.log.Warn("consumers work although their orders are not known yet", "consumers", foreign.Line(strings.Join(consumers, " "), maxLogged), "after", k.patience)
}
