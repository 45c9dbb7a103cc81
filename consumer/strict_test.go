package consumer

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/publisher"
)

// body is a delivery of these bytes.
func body(text string) amqp.Delivery {
	raw := delivery(nil)
	raw.Body = []byte(text)
	return raw
}

func TestStrictJSONRefusesWhatJSONLeavesOut(t *testing.T) {
	for name, row := range map[string]struct {
		body string
		want string // in the error; "" if StrictJSON takes the body too
	}{
		"all fields":                  {`{"id": 7, "name": "a"}`, ""},
		"a field is missing":          {`{"id": 7}`, ""},
		"blanks around":               {" \n{\"id\": 7}\r\n ", ""},
		"a name in another case":      {`{"ID": 7}`, ""},
		"a name twice":                {`{"id": 8, "id": 7}`, ""},
		"anything where any may be":   {`{"id": 7, "deep": {"no": "field"}}`, ""},
		"an unknown field":            {`{"id": 7, "number": 7}`, `unknown field "number"`},
		"only an unknown field":       {`{"number": 7}`, `unknown field "number"`},
		"null":                        {` null `, "the body is null"},
		"another object behind it":    {`{"id": 7} {"id": 8}`, "ends at byte 9, and more follows"},
		"a brace too many":            {`{"id": 7}}`, "ends at byte 9, and more follows"},
		"a byte that is no JSON":      {"{\"id\": 7}\x00", "ends at byte 9, and more follows"},
		"nothing":                     {"", "the body is empty"},
		"half an object":              {`{"id": 7`, "unexpected EOF"},
		"a string for a number":       {`{"id": "7"}`, "cannot unmarshal string"},
		"another kind of thing":       {`[7]`, "cannot unmarshal array"},
		"an unknown field in a depth": {`{"id": 7, "x": {"y": 1}}`, `unknown field "x"`},
	} {
		t.Run(name, func(t *testing.T) {
			var got item
			s := process(t, spec(func(s *Spec) {
				s.Handler = StrictJSON(func(_ context.Context, msg Message[item]) Result { got = msg.Payload; return Ack() })
			}), body(row.body))
			switch {
			case row.want == "" && (s.Action != monitoring.Acked || got.ID != 7):
				t.Errorf("%v %v: %+v", in(s), s.Err, got)
			case row.want != "" && (in(s) != (said{monitoring.Parked, monitoring.ReasonUndecodable, 0}) || !strings.Contains(s.Err.Error(), row.want)):
				t.Errorf("%v %v, want %s", in(s), s.Err, row.want)
			}
		})
	}
	if StrictJSON[item](nil) != nil {
		t.Error("a nil function makes a Handler")
	}
}

var errNoNumber = errors.New("number is missing")

// These payloads have the method Validate.
type (
	byValue   struct{ Number int }
	byPointer struct{ Number int }
	embedding struct{ byValue }
	listed    []int
)

func (o byValue) Validate() error { return numbered(o.Number) }

func (o *byPointer) Validate() error { return numbered(o.Number) }

func (l listed) Validate() error { return numbered(len(l)) }

func numbered(n int) error {
	if n == 0 {
		return fmt.Errorf("order: %w", errNoNumber)
	}
	return nil
}

// outcome is what becomes of a body for handlers of Message[T].
func outcome[T any](t *testing.T, codec publisher.Codec, text string) (s Settlement, ran bool) {
	t.Helper()
	s = process(t, spec(func(s *Spec) {
		s.Handler = Decode(codec, func(context.Context, Message[T]) Result { ran = true; return Ack() })
	}), body(text))
	return s, ran
}

func TestAPayloadThatItsValidateRefusesIsParkedAsUndecodableWithThatText(t *testing.T) {
	const good, bad = `{"Number": 7}`, `{"Number": 0}`
	for name, payload := range map[string]struct {
		run       func(codec publisher.Codec, text string) (Settlement, bool)
		good, bad string
	}{
		"by value":             {func(c publisher.Codec, b string) (Settlement, bool) { return outcome[byValue](t, c, b) }, good, bad},
		"by pointer":           {func(c publisher.Codec, b string) (Settlement, bool) { return outcome[byPointer](t, c, b) }, good, bad},
		"a pointer, by value":  {func(c publisher.Codec, b string) (Settlement, bool) { return outcome[*byValue](t, c, b) }, good, bad},
		"a pointer":            {func(c publisher.Codec, b string) (Settlement, bool) { return outcome[*byPointer](t, c, b) }, good, bad},
		"of an embedded field": {func(c publisher.Codec, b string) (Settlement, bool) { return outcome[embedding](t, c, b) }, good, bad},
		"a list":               {func(c publisher.Codec, b string) (Settlement, bool) { return outcome[listed](t, c, b) }, `[7]`, `[]`},
	} {
		for codec, c := range map[string]publisher.Codec{"JSON": publisher.JSON, "StrictJSON": publisher.StrictJSON} {
			if s, ran := payload.run(c, payload.good); s.Action != monitoring.Acked || !ran {
				t.Errorf("%s, %s: a good one is %v %v", name, codec, in(s), s.Err)
			}
			s, ran := payload.run(c, payload.bad)
			if in(s) != (said{monitoring.Parked, monitoring.ReasonUndecodable, 0}) || ran {
				t.Errorf("%s, %s: a bad one is %v, and the handler ran: %t", name, codec, in(s), ran)
				continue
			}
			var d *DecodeError
			if !errors.Is(s.Err, errNoNumber) || !errors.As(s.Err, &d) || s.Copy.Headers["bunnicula-error"] != "decode: invalid payload: order: number is missing" {
				t.Errorf("%s, %s: the error is %v, and the copy says %v", name, codec, s.Err, s.Copy.Headers["bunnicula-error"])
			}
		}
	}
}

// careless panics over what it does not expect.
type careless struct{ Lines []int }

func (c careless) Validate() error { return numbered(c.Lines[0]) }

func TestAValidateThatPanicsParksTheMessageAsUndecodable(t *testing.T) {
	for name, run := range map[string]func() (Settlement, bool){
		"an index":                     func() (Settlement, bool) { return outcome[careless](t, publisher.JSON, `{}`) },
		"null for a pointer, by value": func() (Settlement, bool) { return outcome[*byValue](t, publisher.JSON, `null`) },
		"null for a pointer":           func() (Settlement, bool) { return outcome[*byPointer](t, publisher.JSON, `null`) },
	} {
		s, ran := run()
		if in(s) != (said{monitoring.Parked, monitoring.ReasonUndecodable, 0}) || ran || !strings.HasPrefix(s.Err.Error(), "decode: Validate panicked: ") {
			t.Errorf("%s: %v %v, and the handler ran: %t", name, in(s), s.Err, ran)
		}
	}
}

// other has methods that are not the one.
type other struct{ Number int }

func (other) Validate(context.Context) error { return errNoNumber }

func TestAPayloadWithoutThatMethodIsNotValidated(t *testing.T) {
	if s, ran := outcome[other](t, publisher.JSON, `{}`); s.Action != monitoring.Acked || !ran {
		t.Errorf("%v %v", in(s), s.Err)
	}
	if s, ran := outcome[any](t, publisher.JSON, `{}`); s.Action != monitoring.Acked || !ran {
		t.Errorf("%v %v", in(s), s.Err)
	}
}
