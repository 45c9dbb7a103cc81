package wire

import (
	"fmt"
	"math"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/foreign"
)

// Check refuses headers that would end a connection: those on which the client library gives up in
// the middle of writing, and those that the broker cannot read. It is for headers that were not
// made by [Headers].
func Check(t amqp.Table) error {
	if err := t.Validate(); err != nil {
		return err
	}
	return checkAll(t)
}

func checkAll(v any) error {
	switch v := v.(type) {
	case float32, float64:
		return finite(v)
	case amqp.Table:
		if len(v) > maxEntries {
			return tooMany(len(v))
		}
		for k, e := range v {
			if len(k) > MaxName {
				return fmt.Errorf("name %q is %d bytes long, AMQP allows %d", foreign.Cut(k, 40), len(k), MaxName)
			}
			if err := checkAll(e); err != nil {
				return err
			}
		}
	case []any:
		if len(v) > maxEntries {
			return tooMany(len(v))
		}
		for _, e := range v {
			if err := checkAll(e); err != nil {
				return err
			}
		}
	}
	return nil
}

// finite refuses a float that RabbitMQ cannot read. The broker ends the whole connection (541) each
// time that it gets such a float.
func finite(v any) error {
	f, ok := v.(float64)
	if !ok {
		f = float64(v.(float32))
	}
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return fmt.Errorf("%v: the broker reads finite numbers only", f)
	}
	return nil
}
