package topology

import (
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"

	amqp "github.com/rabbitmq/amqp091-go"
)

// refused are the arguments that a plan may not set on its main queue, with the reason.
var refused = map[string]string{
	"x-queue-type":                "set Type",
	"x-single-active-consumer":    "set SingleActive",
	"x-quorum-initial-group-size": "set GroupSize",
	"x-dead-letter-exchange":      "what dies in the main queue goes to its error queue; set ErrorQueue to name another",
	"x-dead-letter-routing-key":   "what dies in the main queue goes to its error queue; set ErrorQueue to name another",
	"x-dead-letter-strategy":      "the type of the queue decides it; at most once can lose messages",
	"x-overflow":                  "a full queue refuses what is published; anything else drops messages that were confirmed, or parks what its publisher sends again",
	"x-expires":                   "it deletes the queue with all its messages",
}

// checkArguments refuses arguments of the main queue that would break a promise, or that no broker
// takes. Modes that do not declare the main queue do not use them, and its type may be another one.
func (p *Plan) checkArguments() error {
	arguments, err := normalised(p.Arguments)
	if err != nil {
		return fmt.Errorf("Arguments: %w", err)
	}
	for _, name := range slices.Sorted(maps.Keys(arguments)) {
		value := arguments[name]
		if why, ok := refused[name]; ok {
			return fmt.Errorf("Arguments: %s: %v is refused: %s", name, value, why)
		}
		if why := impossible(p.Type, name, value); why != "" && p.Mode == All {
			return fmt.Errorf("Arguments: %s: %v is impossible: %s", name, value, why)
		}
		if name != "x-delivery-limit" {
			continue
		}
		if p.Type != Quorum {
			return fmt.Errorf("Arguments: %s: %v has no effect, since queues of type %q do not count deliveries", name, value, p.Type)
		}
		if limit, ok := value.(int64); !ok || limit < 1 {
			return fmt.Errorf("Arguments: %s: %v is refused: it must be a number above zero, since -1 is no limit to one broker and zero to another", name, value)
		}
	}
	p.Arguments = arguments
	return nil
}

// normalised copies arguments and makes every integer in them an int64, because the client library
// cuts an int to 32 bits. The broker compares numbers by value, whatever their size.
func normalised(arguments map[string]any) (map[string]any, error) {
	if len(arguments) == 0 {
		return nil, nil
	}
	clean := make(map[string]any, len(arguments))
	for name, value := range arguments {
		if name == "" || len(name) > maxName {
			return nil, fmt.Errorf("a name of %d bytes: it must have 1 to %d", len(name), maxName)
		}
		v, err := normal(value)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		clean[name] = v
	}
	return clean, nil
}

// normal converts one value to a type that the client library can send.
func normal(value any) (any, error) {
	switch v := reflect.ValueOf(value); v.Kind() {
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return v.Int(), nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		if v.Uint() > math.MaxInt64 {
			return nil, fmt.Errorf("%d is above the largest number that AMQP has", v.Uint())
		}
		return int64(v.Uint()), nil
	case reflect.Bool:
		return v.Bool(), nil
	case reflect.String:
		return v.String(), nil
	}
	switch v := value.(type) {
	case map[string]any:
		m, err := normalised(v)
		return amqp.Table(m), err
	case amqp.Table:
		m, err := normalised(v)
		return amqp.Table(m), err
	case []byte:
		return slices.Clone(v), nil
	case []any:
		list := make([]any, len(v))
		for i := range v {
			item, err := normal(v[i])
			if err != nil {
				return nil, err
			}
			list[i] = item
		}
		return list, nil
	}
	if amqp.Table(map[string]any{"": value}).Validate() != nil {
		return nil, fmt.Errorf("AMQP has no type for %T", value)
	}
	return value, nil
}
