package doctor

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/bunnicula-go/bunnicula/cmd/bunnicula/internal/database"
	"github.com/bunnicula-go/bunnicula/cmd/bunnicula/internal/inspect"
)

// Outbox is what is known of an outbox, and of the broker that its rows are for.
type Outbox struct {
	database.Facts
	// Missing are targets that the broker does not have: queues, and exchanges with their routing
	// keys.
	Missing []database.Target
}

// ExamineOutbox asks the broker for the targets of an outbox's rows.
func ExamineOutbox(ctx context.Context, b *inspect.Broker, f database.Facts) (*Outbox, error) {
	o := &Outbox{Facts: f}
	byName := func(a, b database.Target) int { return strings.Compare(a.String(), b.String()) }
	for _, t := range slices.SortedFunc(maps.Keys(f.Targets), byName) {
		look, name := b.HasQueue, t.RoutingKey
		if t.Exchange != "" {
			look, name = b.HasExchange, t.Exchange
		}
		c, err := look(ctx, name)
		if err != nil {
			return nil, err
		}
		if c.Verdict == inspect.Missing {
			o.Missing = append(o.Missing, t)
		}
	}
	return o, nil
}
