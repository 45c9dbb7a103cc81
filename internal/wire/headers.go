package wire

import (
	"fmt"
	"math"
	"reflect"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/foreign"
)

// Sizes that AMQP 0-9-1, the broker or the client library requires.
const (
	MaxName  = 255 // bytes of a short string, such as a name (AMQP 0-9-1, section 4.2.5.3)
	maxDepth = 16  // of nested tables; the client library cannot read tables nested deeper than 32
)

// The client library cannot read a table or an array of more than 8192 entries: such a message ends
// its connection. Consumers add up to 20 headers to retried and parked messages, and the broker
// adds up to 10.
const (
	maxEntries = 8192
	MaxHeaders = maxEntries - 64 // of a message that a user publishes
	MaxCopied  = maxEntries - 16 // of a copy with our headers, before the broker adds its own
)

// Headers converts a user's headers to types that the client library can send. Integers become
// int64, because the library would cut an int to 32 bits. Maps and slices of other types become
// tables and arrays. The error names the header.
func Headers(h map[string]any) (amqp.Table, error) {
	if len(h) > MaxHeaders {
		return nil, fmt.Errorf("there are %d, want at most %d", len(h), MaxHeaders)
	}
	t := make(amqp.Table, len(h)+4) // the publisher adds a few
	for k, v := range h {
		if len(k) > MaxName {
			return nil, fmt.Errorf("header name %q is %d bytes long, AMQP allows %d", foreign.Cut(k, 40), len(k), MaxName)
		}
		f, err := field(v, 1)
		if err != nil {
			return nil, fmt.Errorf("header %q: %w", k, err)
		}
		t[k] = f
	}
	return t, nil
}

// field converts one value. The usual types need no reflection.
func field(v any, depth int) (any, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("nested deeper than %d", maxDepth)
	}
	switch v := v.(type) {
	case float32, float64:
		return v, finite(v)
	case nil, bool, byte, int8, int16, int32, int64, uint16, uint32, string, time.Time, amqp.Decimal:
		return v, nil
	case int:
		return int64(v), nil
	}
	return reflected(reflect.ValueOf(v), depth)
}

// reflected converts a value of a user-defined type, or of a type that AMQP does not have.
func reflected(r reflect.Value, depth int) (any, error) {
	switch {
	case r.Kind() == reflect.Bool:
		return r.Bool(), nil
	case r.Kind() == reflect.String:
		return r.String(), nil
	case r.CanInt():
		return r.Int(), nil
	case r.CanUint() && r.Uint() > math.MaxInt64:
		return nil, fmt.Errorf("%d does not fit AMQP's largest integer, %d", r.Uint(), int64(math.MaxInt64))
	case r.CanUint():
		return int64(r.Uint()), nil
	case r.CanFloat():
		return r.Float(), finite(r.Float())
	case r.Kind() == reflect.Pointer && r.IsNil():
		return nil, nil
	case r.Kind() == reflect.Pointer:
		return field(r.Elem().Interface(), depth+1)
	case r.Kind() == reflect.Slice, r.Kind() == reflect.Array:
		return array(r, depth)
	case r.Kind() == reflect.Map && r.Type().Key().Kind() == reflect.String:
		return table(r, depth)
	}
	return nil, fmt.Errorf("AMQP has no type for %T", r.Interface())
}

// array converts a slice or an array. One of bytes, such as json.RawMessage or [16]byte, is copied
// as bytes.
func array(r reflect.Value, depth int) (any, error) {
	if r.Type().Elem().Kind() == reflect.Uint8 {
		b := make([]byte, r.Len())
		reflect.Copy(reflect.ValueOf(b), r)
		return b, nil
	}
	if r.Len() > maxEntries {
		return nil, tooMany(r.Len())
	}
	a := make([]any, r.Len())
	for i := range a {
		f, err := field(r.Index(i).Interface(), depth+1)
		if err != nil {
			return nil, fmt.Errorf("[%d]: %w", i, err)
		}
		a[i] = f
	}
	return a, nil
}

// table converts a map with string keys.
func table(r reflect.Value, depth int) (any, error) {
	if r.Len() > maxEntries {
		return nil, tooMany(r.Len())
	}
	t := make(amqp.Table, r.Len())
	for _, k := range r.MapKeys() {
		name := k.String()
		if len(name) > MaxName {
			return nil, fmt.Errorf("key %q is %d bytes long, AMQP allows %d", foreign.Cut(name, 40), len(name), MaxName)
		}
		f, err := field(r.MapIndex(k).Interface(), depth+1)
		if err != nil {
			return nil, fmt.Errorf("%q: %w", name, err)
		}
		t[name] = f
	}
	return t, nil
}

func tooMany(n int) error { return fmt.Errorf("%d entries, want at most %d", n, maxEntries) }
