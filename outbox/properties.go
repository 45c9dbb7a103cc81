package outbox

import (
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/bunnicula-go/bunnicula/internal/sending"
	"github.com/bunnicula-go/bunnicula/internal/typed"
)

// writeProperties makes the column properties, which json.Unmarshal reads into properties. Each Put
// does this, and encoding/json takes five times as long for it.
func writeProperties(env *sending.Envelope) ([]byte, error) {
	o := object{text: make([]byte, 1, 256)}
	o.text[0] = '{'
	p := typed.Of(&env.Publishing)
	o.short("content_type", p.ContentType)
	o.short("content_encoding", p.ContentEncoding)
	o.number("delivery_mode", int64(p.DeliveryMode))
	o.number("priority", int64(p.Priority))
	o.short("correlation_id", p.CorrelationID)
	o.short("reply_to", p.ReplyTo)
	o.short("expiration", p.Expiration)
	o.short("type", p.Type)
	o.short("user_id", p.UserID)
	o.short("app_id", p.AppID)
	if p.Timestamp != nil { // 0 is one too
		o.value("timestamp", *p.Timestamp)
	}
	if env.NotMandatory {
		o.value("not_mandatory", true)
	}
	if len(env.Headers) > 0 {
		o.name("headers")
		o.text = append(o.text, '{')
		for _, name := range slices.Sorted(maps.Keys(env.Headers)) {
			o.value(typed.NameText(name), env.Headers[name])
		}
		o.text = append(o.text, '}')
	}
	return append(o.text, '}'), o.err
}

// object is a JSON object that is being written.
type object struct {
	text []byte
	err  error // the first one
}

// short writes a property that is there.
func (o *object) short(name string, value typed.Text) {
	if value != "" {
		o.name(name)
		o.string(string(value))
	}
}

// number writes a property that is there.
func (o *object) number(name string, value int64) {
	if value != 0 {
		o.name(name)
		o.text = strconv.AppendInt(o.text, value, 10)
	}
}

func (o *object) name(name string) {
	if o.text[len(o.text)-1] != '{' {
		o.text = append(o.text, ',')
	}
	o.string(name)
	o.text = append(o.text, ':')
}

// value writes a field with its AMQP type, as typed.Field does.
func (o *object) value(name string, value any) {
	o.name(name)
	switch v := value.(type) {
	case string:
		o.string(v)
	case int64:
		o.text = strconv.AppendInt(o.text, v, 10)
	case bool:
		o.text = strconv.AppendBool(o.text, v)
	default:
		o.field(v)
	}
}

// string writes a text. Few need an escape.
func (o *object) string(s string) {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			o.field(s)
			return
		}
	}
	o.text = append(append(append(o.text, '"'), s...), '"')
}

func (o *object) field(value any) {
	text, err := typed.Field{Value: value}.MarshalJSON()
	if err != nil && o.err == nil {
		o.err = fmt.Errorf("properties: %w", err)
	}
	o.text = append(o.text, text...)
}
