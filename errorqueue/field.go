package errorqueue

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"time"
	"unicode/utf8"

	amqp "github.com/rabbitmq/amqp091-go"
)

// field is a header's value in JSON, with its AMQP type: see Export.
type field struct{ value any }

// maxNested is how deep the tables and lists of a file may be nested. The client gives up at 32.
const maxNested = 64

type decimal struct {
	Scale uint8 `json:"scale"`
	Value int32 `json:"value"`
}

// MarshalJSON writes the value with its type.
func (f field) MarshalJSON() ([]byte, error) {
	tagged := func(name string, v any) ([]byte, error) { return json.Marshal(map[string]any{name: v}) }
	switch v := f.value.(type) {
	case nil, bool, int64:
		return json.Marshal(v)
	case string:
		if utf8.ValidString(v) {
			return json.Marshal(v)
		}
		return tagged("text", []byte(v))
	case int:
		return json.Marshal(int64(v))
	case int8, int16, int32, uint8, uint16, uint32:
		return tagged(fmt.Sprintf("%T", v), v)
	case float32:
		if f64 := float64(v); math.IsNaN(f64) || math.IsInf(f64, 0) { // no broker has one; this is only to be seen
			return tagged("float32", fmt.Sprint(v))
		}
		return tagged("float32", v)
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return tagged("float64", fmt.Sprint(v))
		}
		return tagged("float64", v)
	case amqp.Decimal:
		return tagged("decimal", decimal{v.Scale, v.Value})
	case time.Time:
		if text := v.UTC().Format(time.RFC3339); v.Year() >= 1 && v.Year() <= 9999 {
			return tagged("timestamp", text)
		}
		return tagged("timestamp", v.Unix())
	case []byte:
		if v == nil {
			v = []byte{}
		}
		return tagged("bytes", v)
	case amqp.Table:
		table := make(map[string]field, len(v))
		for name, e := range v {
			table[nameText(name)] = field{e}
		}
		return tagged("table", table)
	case []any:
		array := make([]field, len(v))
		for i, e := range v {
			array[i] = field{e}
		}
		return tagged("array", array)
	}
	return nil, fmt.Errorf("AMQP has no type for %T", f.value)
}

// UnmarshalJSON reads what MarshalJSON writes.
func (f *field) UnmarshalJSON(text []byte) error {
	v, err := readField(text, 0)
	f.value = v
	return err
}

func readField(text []byte, depth int) (any, error) {
	if depth > maxNested {
		return nil, fmt.Errorf("nested deeper than %d", maxNested)
	}
	text = bytes.TrimSpace(text)
	switch {
	case len(text) == 0:
		return nil, io.ErrUnexpectedEOF
	case text[0] == '"':
		var s string
		err := json.Unmarshal(text, &s)
		return s, err
	case text[0] == 'n':
		return nil, nil
	case text[0] == 't' || text[0] == 'f':
		return text[0] == 't', nil
	case text[0] != '{':
		n, err := strconv.ParseInt(string(text), 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%.40s is not an int64; other numbers need their type, as in {\"float64\": 1.5}", text)
		}
		return n, nil
	}
	var tagged map[string]json.RawMessage
	if err := json.Unmarshal(text, &tagged); err != nil {
		return nil, err
	}
	if len(tagged) != 1 {
		return nil, fmt.Errorf("%.40s has %d types, want one", text, len(tagged))
	}
	for name, raw := range tagged {
		v, err := readTagged(name, raw, depth)
		if err != nil {
			return nil, fmt.Errorf("%.20s: %w", name, err)
		}
		return v, nil
	}
	return nil, nil // cannot be: there is one
}

func readTagged(name string, raw json.RawMessage, depth int) (any, error) {
	switch name {
	case "text":
		b, err := readAs[[]byte](raw)
		return string(b), err
	case "int8":
		return readAs[int8](raw)
	case "int16":
		return readAs[int16](raw)
	case "int32":
		return readAs[int32](raw)
	case "uint8":
		return readAs[uint8](raw)
	case "uint16":
		return readAs[uint16](raw)
	case "uint32":
		return readAs[uint32](raw)
	case "float32":
		return readAs[float32](raw)
	case "float64":
		return readAs[float64](raw)
	case "decimal":
		d, err := readAs[decimal](raw)
		return amqp.Decimal{Scale: d.Scale, Value: d.Value}, err
	case "timestamp":
		return readTimestamp(raw)
	case "bytes":
		b, err := readAs[[]byte](raw)
		if err == nil && b == nil {
			err = errors.New("null")
		}
		return b, err
	case "table":
		all, err := readAs[map[string]json.RawMessage](raw)
		if err != nil {
			return nil, err
		}
		table := make(amqp.Table, len(all))
		for text, e := range all {
			key, err := readName(text)
			if err != nil {
				return nil, fmt.Errorf("name %.40q: %w", text, err)
			}
			if table[key], err = readField(e, depth+1); err != nil {
				return nil, fmt.Errorf("%.20q: %w", key, err)
			}
		}
		return table, nil
	case "array":
		all, err := readAs[[]json.RawMessage](raw)
		if err != nil {
			return nil, err
		}
		array := make([]any, len(all))
		for i, e := range all {
			if array[i], err = readField(e, depth+1); err != nil {
				return nil, fmt.Errorf("[%d]: %w", i, err)
			}
		}
		return array, nil
	}
	return nil, errors.New("no such type")
}

func readAs[T any](raw json.RawMessage) (v T, err error) {
	if string(raw) == "null" {
		return v, errors.New("null is not a value of this type")
	}
	err = strictly(raw, &v)
	return v, err
}

func readTimestamp(raw json.RawMessage) (any, error) {
	if seconds, err := strconv.ParseInt(string(raw), 10, 64); err == nil {
		return time.Unix(seconds, 0), nil
	}
	text, err := readAs[string](raw)
	if err != nil {
		return nil, err
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return nil, fmt.Errorf("%.40q is not a time as in 2026-01-02T15:04:05Z", text)
	}
	return time.Unix(t.Unix(), 0), nil
}
