package wire

import (
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	amqp "github.com/rabbitmq/amqp091-go"
)

// Sizes that AMQP 0-9-1 or the broker gives.
const (
	MaxName  = 255 // bytes of a short string: names, routing keys, ids (AMQP 0-9-1, section 4.2.5.3)
	maxDepth = 16  // of nested tables; beyond 32 the client of every consumer that gets it gives up
)

// The client gives up reading a table or an array with more than 8192 entries, and the connection with it. Consumers
// add up to 20 headers to what they retry and park, and the broker up to 10.
const (
	maxEntries = 8192
	MaxHeaders = maxEntries - 64 // of a message that is published
	MaxCopied  = maxEntries - 16 // of one with ours, on its way to a queue where the broker adds its own
)

// Headers converts what a person gave into what the client can send. int and uint
// become int64, because the client cuts an int to 32 bits; maps and slices of other
// types become tables and arrays. It returns an error that names the header.
func Headers(h map[string]any) (amqp.Table, error) {
	if len(h) > MaxHeaders {
		return nil, fmt.Errorf("there are %d, want at most %d", len(h), MaxHeaders)
	}
	t := make(amqp.Table, len(h)+4)
	for k, v := range h {
		if len(k) > MaxName {
			return nil, fmt.Errorf("header name %q is %d bytes long, AMQP allows %d", Cut(k, 40), len(k), MaxName)
		}
		f, err := field(v, 1)
		if err != nil {
			return nil, fmt.Errorf("header %q: %w", k, err)
		}
		t[k] = f
	}
	return t, nil
}

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
	r := reflect.ValueOf(v)
	switch r.Kind() {
	case reflect.Bool:
		return r.Bool(), nil
	case reflect.String:
		return r.String(), nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return r.Int(), nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		if r.Uint() > math.MaxInt64 {
			return nil, fmt.Errorf("%d does not fit AMQP's largest integer, %d", r.Uint(), int64(math.MaxInt64))
		}
		return int64(r.Uint()), nil
	case reflect.Float32, reflect.Float64:
		return r.Float(), finite(r.Float())
	case reflect.Pointer, reflect.Interface:
		if r.IsNil() {
			return nil, nil
		}
		return field(r.Elem().Interface(), depth+1)
	case reflect.Slice, reflect.Array:
		if r.Type().Elem().Kind() == reflect.Uint8 { // []byte, json.RawMessage, a [16]byte: bytes, copied
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
	case reflect.Map:
		if r.Type().Key().Kind() != reflect.String {
			break
		}
		if r.Len() > maxEntries {
			return nil, tooMany(r.Len())
		}
		t := make(amqp.Table, r.Len())
		for _, k := range r.MapKeys() {
			if len(k.String()) > MaxName {
				return nil, fmt.Errorf("key %q is %d bytes long, AMQP allows %d", Cut(k.String(), 40), len(k.String()), MaxName)
			}
			f, err := field(r.MapIndex(k).Interface(), depth+1)
			if err != nil {
				return nil, fmt.Errorf("%q: %w", k.String(), err)
			}
			t[k.String()] = f
		}
		return t, nil
	}
	return nil, fmt.Errorf("AMQP has no type for %T", v)
}

// finite refuses a float that RabbitMQ cannot read: it ends the whole connection over one (541), each time that it comes.
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

// Check refuses a table that the client would begin to write and then give up, or that the broker cannot read, which
// costs the connection: it is for headers that did not come from [Headers].
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
				return fmt.Errorf("name %q is %d bytes long, AMQP allows %d", Cut(k, 40), len(k), MaxName)
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

func tooMany(n int) error { return fmt.Errorf("%d entries, want at most %d", n, maxEntries) }

// Size is how many bytes a header table takes on the wire.
func Size(t amqp.Table) int {
	n := 4
	for k, v := range t {
		n += 1 + len(k) + fieldSize(v)
	}
	return n
}

func fieldSize(v any) int {
	switch v := v.(type) {
	case nil:
		return 1
	case bool, byte, int8:
		return 2
	case int16, uint16:
		return 3
	case int, int32, uint32, float32:
		return 5
	case amqp.Decimal:
		return 6
	case string:
		return 5 + len(v)
	case []byte:
		return 5 + len(v)
	case []any:
		n := 5
		for _, e := range v {
			n += fieldSize(e)
		}
		return n
	case amqp.Table:
		return 1 + Size(v)
	}
	return 9
}

// Cut shortens s to at most n bytes, at a rune, and marks that it did. What is not
// UTF-8 is replaced.
func Cut(s string, n int) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) <= n {
		return s
	}
	const mark = "…"
	if n -= len(mark); n < 0 {
		return ""
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + mark
}

// Int reads a count that any client may have written, as any AMQP integer or as text.
// Whatever is not a count is 0.
func Int(v any) int {
	var n int64
	switch v := v.(type) {
	case int64:
		n = v
	case int32:
		n = int64(v)
	case int16:
		n = int64(v)
	case int8:
		n = int64(v)
	case uint8:
		n = int64(v)
	case uint16:
		n = int64(v)
	case uint32:
		n = int64(v)
	case int:
		n = int64(v)
	case float32:
		return Int(float64(v))
	case float64:
		if v >= 0 { // false for NaN
			n = int64(min(v, math.MaxInt32))
		}
	case string:
		n, _ = strconv.ParseInt(v, 10, 64) // 0 if it is no number, the largest if it is too large
	case []byte:
		return Int(string(v))
	}
	return int(min(max(n, 0), math.MaxInt32))
}
