package consumer

import (
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/wire"
)

func TestADeliveryTellsHowOftenItWasRedriven(t *testing.T) {
	for name, c := range map[string]struct {
		headers amqp.Table
		count   int
		id      string
	}{
		"never":                {nil, 0, ""},
		"twice":                {amqp.Table{wire.RedriveCount: int64(2), wire.RedriveID: "r-9"}, 2, "r-9"},
		"by another language":  {amqp.Table{wire.RedriveCount: "1"}, 1, ""},
		"and retried":          {amqp.Table{wire.RedriveCount: int64(1), wire.RedriveID: []byte("r-9"), wire.RetryAttempts: int64(1)}, 1, "r-9"},
		"never, with an id":    {amqp.Table{wire.RedriveID: "r-9"}, 0, ""},
		"less than never":      {amqp.Table{wire.RedriveCount: int64(-1), wire.RedriveID: "r-9"}, 0, ""},
		"of another queue":     {amqp.Table{wire.Queue: "emails", wire.RedriveCount: int64(2), wire.RedriveID: "r-9"}, 0, ""},
		"from another to this": {amqp.Table{wire.Queue: "orders", wire.RedriveCount: int64(2), wire.RedriveID: "r-9"}, 2, "r-9"},
	} {
		d := handled(t, spec(nil), delivery(c.headers))
		if d.RedriveCount != c.count || d.RedriveID != c.id {
			t.Errorf("%s: redriven %d times, the last time by %q; want %d and %q", name, d.RedriveCount, d.RedriveID, c.count, c.id)
		}
	}
}
