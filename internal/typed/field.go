package typed

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"time"
	"unicode/utf8"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/foreign"
)

// Field is a header's value. In JSON it keeps its AMQP type: null, true, "text" and 42 (an int64)
// stand for themselves, and other values are objects such as {"int8": 1}.
type Field struct{ Value any }

type decimal struct {
	Scale uint8 `json:"scale"`
	Value int32 `json:"value"`
}

// MarshalJSON writes the value with its type.
func (f Field) MarshalJSON() ([]byte, error) {
	switch v := f.Value.(type) {
	case nil, bool, int64:
		return json.Marshal(v)
	case int:
		return json.Marshal(int64(v))
	case string:
		if utf8.ValidString(v) {
			return json.Marshal(v)
		}
	}
	tag, value := tagged(f.Value)
	if tag == "" {
		return nil, fmt.Errorf("AMQP has no type for %T", f.Value)
	}
	return json.Marshal(map[string]any{tag: value})
}

// tagged returns the name of a value's type, and the value that is written with it. The name is ""
// for a type that JSON shows by itself.
func tagged(v any) (tag string, value any) {
	switch v := v.(type) {
	case string:
		return "text", []byte(v)
	case int8, int16, int32, uint8, uint16, uint32:
		return fmt.Sprintf("%T", v), v
	case float32:
		return "float32", orText(v, float64(v))
	case float64:
		return "float64", orText(v, v)
	case amqp.Decimal:
		return "decimal", decimal{v.Scale, v.Value}
	case time.Time:
		if foreign.IsTime(v) {
			return "timestamp", foreign.Stamp(v)
		}
		return "timestamp", v.Unix()
	case []byte:
		if v == nil {
			v = []byte{}
		}
		return "bytes", v
	case amqp.Table:
		return "table", Fields(v)
	case []any:
		array := make([]Field, len(v))
		for i, e := range v {
			array[i] = Field{e}
		}
		return "array", array
	}
	return "", nil
}

// orText returns a float, or its text if JSON has no number for it. No broker delivers such a
// float: it is written for people who read the file, and cannot be read back.
func orText(v any, f float64) any {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return fmt.Sprint(v)
	}
	return v
}

// Fields returns a table's values under their names as text.
func Fields(t map[string]any) map[string]Field {
	fields := make(map[string]Field, len(t))
	for name, v := range t {
		fields[NameText(name)] = Field{v}
	}
	return fields
}

// base64Name is the prefix of a name in base64: one that is not UTF-8, or that begins with this
// prefix.
const base64Name = "base64:"

// NameText is a name as Fields writes it: always UTF-8.
func NameText(name string) string {
	if utf8.ValidString(name) && !strings.HasPrefix(name, base64Name) {
		return name
	}
	return base64Name + base64.StdEncoding.EncodeToString([]byte(name))
}

// ReadName reads a name that Fields has written.
func ReadName(text string) (string, error) {
	digits, ok := strings.CutPrefix(text, base64Name)
	if !ok {
		return text, nil
	}
	name, err := base64.StdEncoding.DecodeString(digits)
	return string(name), err
}
