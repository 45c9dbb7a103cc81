package errorqueue

import (
	"errors"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	amqp "github.com/rabbitmq/amqp091-go"
)

// What a term chooses by a message it chooses by the values of the message.
func TestTheTestsOfATermChooseWhatTheTermChooses(t *testing.T) {
	const long = 1100
	v, err := NewValues("header.a", "body.x", "body.x.y", "body.list[1]", "$['odd.name']")
	if err != nil {
		t.Fatal(err)
	}
	scalars := []string{
		`1`, `1.0`, `10e-1`, `1e999999`, `9007199254740993`, `-0`, `true`, `null`, `"1"`, `"a"`, `"\u0061"`, `""`, `"<"`, "\"\xff\"", `{}`, `[ ]`, `{"y": 1}`,
		`{"y":{"b":2,"a":1}}`, `[1, 2]`, `{"y":1,"y":2}`, `"` + strings.Repeat("x", long) + `"`, strings.Repeat("9", long), `[` + strings.Repeat(`1,`, 10_000) + `1]`,
		`{` + strings.Repeat(`"z":1,`, 12) + `"z":1}`,
	}
	headers := []any{nil, "a", "1", []byte("a"), int32(1), 1.5, true, time.Unix(1e9, 0).UTC(), amqp.Table{"k": "v"}, strings.Repeat("x", long), ""}
	wants := []string{
		"1", "1.0", "01", "0x1", "1/1", "a", "", "true", "null", "{}", "[]", "[1,2]", `{"z":1}`, `{"a":1,"b":2}`, "<", `"<"`, "-0", "0", "\ufffd", "2", "9007199254740992",
		"9007199254740993", "1e999999", "2001-09-09T01:46:40Z", "map[k:v]", "<nil>", "1.5", strings.Repeat("x", long), strings.Repeat("9", 1024),
	}
	rapid.Check(t, func(t *rapid.T) {
		scalar := rapid.SampledFrom(scalars)
		m := Message{Headers: map[string]any{}}
		if rapid.Bool().Draw(t, "has a header") {
			m.Headers["a"] = rapid.SampledFrom(headers).Draw(t, "header")
		}
		m.Body = []byte(rapid.SampledFrom([]string{`{"x": %, "list":[0, %]}`, `{"list":[%],"odd.name": % }`, `[%]`, `{"x": {"y" : %}}`, `no json %`, `%`, ``}).Draw(t, "body"))
		for strings.Contains(string(m.Body), "%") {
			m.Body = []byte(strings.Replace(string(m.Body), "%", scalar.Draw(t, "value"), 1))
		}
		values := v.Read(&m)
		want := rapid.SampledFrom(wants).Draw(t, "want")
		exists := rapid.Bool().Draw(t, "exists")
		if exists {
			want = ""
		}
		var f Filter
		if path := rapid.SampledFrom([]string{"", "x", "$.x", "['x']", "x.y", "list[1]", "$['odd.name']"}).Draw(t, "path"); path == "" {
			f.Headers = []HeaderMatch{{Name: "a", Exists: exists, Value: want}}
		} else {
			f.Body = []BodyMatch{{Path: path, Exists: exists, Value: want}}
		}
		tests, ok := v.Tests(f)
		if ok != (len(want) <= 1024) {
			t.Fatalf("%q has tests: %v", f, ok)
		}
		if !ok {
			return
		}
		matcher, err := f.At(time.Now())
		if err != nil || len(tests) != 1 {
			t.Fatal(err, tests)
		}
		if got, want := tests[0].Passes(values[tests[0].Index]), matcher.Matches(&m); got != want {
			t.Fatalf("%q of %+v is %v, want %v for %q", f, values, got, want, m.Body)
		}
	})
}

func TestWhatIsNotReadHasNoTests(t *testing.T) {
	v, err := NewValues("header.a")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range []Filter{
		{Headers: []HeaderMatch{{Name: "b", Exists: true}}}, {Body: []BodyMatch{{Path: "a", Exists: true}}}, {Body: []BodyMatch{{Path: "["}}},
		{Headers: []HeaderMatch{{Name: "a"}, {Name: "b"}}},
	} {
		if tests, ok := v.Tests(f); ok {
			t.Errorf("%+v has %v", f, tests)
		}
	}
	if tests, ok := v.Tests(Filter{Reasons: []string{"x"}}); !ok || len(tests) != 0 {
		t.Errorf("a filter without such terms has %v, %v", tests, ok)
	}
}

func TestAWrongTermOfValuesIsAFieldError(t *testing.T) {
	for _, term := range []string{"reason=x", "header.a=1", "body.a=1", "header.", "a", "", "body.a["} {
		if _, err := NewValues(term); !errors.As(err, new(*FieldError)) {
			t.Errorf("%q: %v", term, err)
		}
	}
}
