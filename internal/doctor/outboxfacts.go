package doctor

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/bunnicula-go/bunnicula/internal/inspect"
	"github.com/bunnicula-go/bunnicula/internal/outboxlook"
)

// Outbox is what is known of an outbox, and of the broker that its rows are for.
type Outbox struct {
	outboxlook.Facts
	// Missing are targets that the broker does not have: queues, and exchanges with their routing
	// keys.
	Missing []outboxlook.Target
}

// ExamineOutbox asks the broker for the targets of an outbox's rows.
func ExamineOutbox(ctx context.Context, b *inspect.Broker, f outboxlook.Facts) (*Outbox, error) {
	o := &Outbox{Facts: f}
	byName := func(a, b outboxlook.Target) int { return strings.Compare(a.String(), b.String()) }
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
