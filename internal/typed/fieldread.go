package typed

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// maxNested is how deep the tables and arrays of a file may be nested. The client library reads 32
// levels.
const maxNested = 64

// UnmarshalJSON reads the output of MarshalJSON.
func (f *Field) UnmarshalJSON(text []byte) error {
	v, err := readField(text, 0)
	f.Value = v
	return err
}

func readField(text []byte, depth int) (any, error) {
	if depth > maxNested {
		return nil, fmt.Errorf("nested deeper than %d", maxNested)
	}
	text = bytes.TrimSpace(text)
	if len(text) == 0 {
		return nil, io.ErrUnexpectedEOF
	}
	switch text[0] {
	case '"':
		var s string
		err := json.Unmarshal(text, &s)
		return s, err
	case 'n':
		return nil, nil
	case 't', 'f':
		return text[0] == 't', nil
	case '{':
		return readObject(text, depth)
	}
	n, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil {
		return nil, fmt.Errorf("%.40s is not an int64; other numbers need their type, as in {\"float64\": 1.5}", text)
	}
	return n, nil
}

// readObject reads a value that is written under the name of its type.
func readObject(text []byte, depth int) (any, error) {
	var object map[string]json.RawMessage
	if err := json.Unmarshal(text, &object); err != nil {
		return nil, err
	}
	if len(object) != 1 {
		return nil, fmt.Errorf("%.40s has %d types, want one", text, len(object))
	}
	var v any
	var err error
	for tag, raw := range object {
		if v, err = readTagged(tag, raw, depth); err != nil {
			return nil, fmt.Errorf("%.20s: %w", tag, err)
		}
	}
	return v, nil
}

func readTagged(tag string, raw json.RawMessage, depth int) (any, error) {
	switch tag {
	case "table":
		return readTable(raw, depth)
	case "array":
		return readArray(raw, depth)
	}
	read, ok := scalars[tag]
	if !ok {
		return nil, errors.New("no such type")
	}
	return read(raw)
}

// scalars read the values that contain no others, by the names of their types.
var scalars = map[string]func(json.RawMessage) (any, error){
	"int8": number[int8], "int16": number[int16], "int32": number[int32],
	"uint8": number[uint8], "uint16": number[uint16], "uint32": number[uint32],
	"float32": number[float32], "float64": number[float64],
	"timestamp": readTimestamp,
	"text": func(raw json.RawMessage) (any, error) {
		b, err := readAs[[]byte](raw)
		return string(b), err
	},
	"bytes": func(raw json.RawMessage) (any, error) {
		b, err := readAs[[]byte](raw)
		if err == nil && b == nil {
			err = errors.New("null")
		}
		return b, err
	},
	"decimal": func(raw json.RawMessage) (any, error) {
		d, err := readAs[decimal](raw)
		return amqp.Decimal{Scale: d.Scale, Value: d.Value}, err
	},
}

func number[T any](raw json.RawMessage) (any, error) { return readAs[T](raw) }

func readTable(raw json.RawMessage, depth int) (any, error) {
	all, err := readAs[map[string]json.RawMessage](raw)
	if err != nil {
		return nil, err
	}
	table := make(amqp.Table, len(all))
	for text, e := range all {
		name, err := ReadName(text)
		if err != nil {
			return nil, fmt.Errorf("name %.40q: %w", text, err)
		}
		if table[name], err = readField(e, depth+1); err != nil {
			return nil, fmt.Errorf("%.20q: %w", name, err)
		}
	}
	return table, nil
}

func readArray(raw json.RawMessage, depth int) (any, error) {
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

func readAs[T any](raw json.RawMessage) (v T, err error) {
	if string(raw) == "null" {
		return v, errors.New("null is not a value of this type")
	}
	err = Strictly(raw, &v)
	return v, err
}

// Strictly reads JSON that has no fields but those of v, and no text after it.
func Strictly(text []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return err
	}
	if d.More() {
		return errors.New("there is something behind the JSON")
	}
	return nil
}
