package archive

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"pgregory.net/rapid"

	"github.com/bunnicula-go/bunnicula/internal/test/deliverytest"
	"github.com/bunnicula-go/bunnicula/internal/typed"
	"github.com/bunnicula-go/bunnicula/internal/wire"
)

func TestALineIsReadBackAsTheMessageThatItWasMadeOf(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := deliverytest.Any().Draw(t, "message")
		text, err := json.Marshal(lineOf(d))
		if err != nil {
			t.Fatal(err)
		}
		if bytes.ContainsAny(text, "\n\r") {
			t.Fatalf("more than a line: %s", text)
		}
		var l line
		if err := typed.Strictly(text, &l); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		got, err := l.delivery()
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		want := *d
		want.Headers = amqp.Table{}
		for k, v := range d.Headers {
			if !wire.IsCount(k) {
				want.Headers[k] = v
			}
		}
		if got.Headers == nil {
			got.Headers = amqp.Table{}
		}
		if !deliverytest.SameHeader(got.Headers, want.Headers) {
			t.Fatalf("headers\n%#v, want\n%#v\n%s", got.Headers, want.Headers, text)
		}
		if !bytes.Equal(got.Body, want.Body) || !got.Timestamp.Equal(want.Timestamp) {
			t.Fatalf("body %q, timestamp %v; want %q, %v", got.Body, got.Timestamp, want.Body, want.Timestamp)
		}
		got.Headers, want.Headers, got.Body, want.Body, got.Timestamp, want.Timestamp = nil, nil, nil, nil, time.Time{}, time.Time{}
		if !reflect.DeepEqual(got, &want) {
			t.Fatalf("got\n%+v, want\n%+v", got, want)
		}
	})
}

// file returns an export with these lines as its messages.
func file(messages ...string) string {
	text := `{"format":"bunnicula-errorqueue","version":1,"queue":"orders-error"}` + "\n"
	for _, m := range messages {
		text += m + "\n"
	}
	last, _ := json.Marshal(lastLine{End: true, Messages: len(messages)})
	return text + string(last) + "\n"
}

const good = `{"exchange":"","routing_key":"orders-error","properties":{"message_id":"m"},"headers":{"n":{"int32":1}},"text":"x"}`

func TestAnErrorInAFileNamesItsLine(t *testing.T) {
	withHeader := func(value string) string { return strings.Replace(good, `{"int32":1}`, value, 1) }
	for name, c := range map[string]struct {
		file string
		line int
		want string
	}{
		"another format":   {"id,name\n1,2\n", 1, "not an export of an error queue"},
		"other JSON lines": {`{"a":1}` + "\n", 1, "not an export of an error queue"},
		"newer version":    {`{"format":"bunnicula-errorqueue","version":2}` + "\n", 1, "of version 2"},
		"no JSON":          {file(good, "x"), 3, "invalid character"},
		"cut in a line":    {file(good)[:120], 2, "unexpected EOF"},
		"cut between":      {strings.Join(strings.SplitAfter(file(good, good), "\n")[:2], ""), 3, "cut off"},
		"a line missing":   {strings.Replace(file(good, good), good+"\n", "", 1), 3, "was written with 2 messages and has 1"},
		"two files":        {file(good) + file(good), 4, "goes on behind its last line"},
		"unknown field":    {file(strings.Replace(good, `"text"`, `"txt"`, 1)), 2, `unknown field "txt"`},
		"no body":          {file(strings.Replace(good, `,"text":"x"`, "", 1)), 2, "no body"},
		"two bodies":       {file(strings.Replace(good, `"text":"x"`, `"text":"x","bytes":"AA=="`, 1)), 2, "text and another as bytes"},
		"number":           {file(withHeader("1.5")), 2, "1.5 is not an int64"},
		"large number":     {file(withHeader("9223372036854775808")), 2, "is not an int64"},
		"range":            {file(withHeader(`{"int8":300}`)), 2, "int8: "},
		"type":             {file(withHeader(`{"int7":3}`)), 2, "int7: no such type"},
		"two types":        {file(withHeader(`{"int8":3,"int16":3}`)), 2, "has 2 types"},
		"infinite":         {file(withHeader(`{"float64":"+Inf"}`)), 2, "float64: "},
		"time":             {file(withHeader(`{"timestamp":"soon"}`)), 2, "is not a time"},
		"base64":           {file(withHeader(`{"bytes":"!"}`)), 2, "bytes: "},
		"deep":             {file(withHeader(strings.Repeat(`{"array":[`, 100) + "1" + strings.Repeat("]}", 100))), 2, "nested deeper"},
		"name too long":    {file(strings.Replace(good, `"n":`, `"`+strings.Repeat("n", 256)+`":`, 1)), 2, "AMQP allows 255"},
		"id too long":      {file(strings.Replace(good, `"m"`, `"`+strings.Repeat("m", 256)+`"`, 1)), 2, "message_id is 256 bytes long"},
		"property":         {file(strings.Replace(good, `"m"`, `7`, 1)), 2, "7 is not text"},
		"behind the JSON":  {file(good + "{}"), 2, "something behind"},
	} {
		_, err := Read(context.Background(), strings.NewReader(c.file), 0, func(int, *amqp.Delivery) error { return nil })
		var at *LineError
		if !errors.As(err, &at) || at.Line != c.line || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want line %d: ...%s", name, err, c.line, c.want)
		}
	}
	if _, err := Read(context.Background(), strings.NewReader(""), 0, nil); !errors.Is(err, ErrFormat) {
		t.Errorf("an empty file: %v", err)
	}
	var n []int
	report, err := Read(context.Background(), strings.NewReader(file(good, good, good)), 3, func(line int, _ *amqp.Delivery) error { n = append(n, line); return nil })
	if err != nil || !reflect.DeepEqual(n, []int{3, 4}) || report.Messages != 3 || report.Queue != "orders-error" {
		t.Errorf("from line 3: %v, %v, %+v", n, err, report)
	}
}

func TestAFailureOfTheReaderIsNotTheFilesFault(t *testing.T) {
	broken := io.MultiReader(strings.NewReader(file(good)[:80]), errReader{})
	_, err := Read(context.Background(), broken, 0, nil)
	if !errors.Is(err, errRead) {
		t.Errorf("got %v", err)
	}
}

var errRead = errors.New("disk on fire")

type errReader struct{}

func (errReader) Read([]byte) (int, error) { return 0, errRead }

func FuzzRead(f *testing.F) {
	f.Add([]byte(file(good, good)))
	f.Add([]byte(file(`{"exchange":{"text":"/w=="},"routing_key":"k","properties":{"timestamp":1,"priority":9},"headers":{"base64:/w==":{"table":{"a":{"array":[null,true,{"float64":1e-300},{"decimal":{"scale":2,"value":314}},{"timestamp":"2026-01-02T15:04:05Z"}]}}}},"bytes":"/w=="}`)))
	f.Add([]byte("id,name\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		n := 0
		report, err := Read(context.Background(), bytes.NewReader(text), 0, func(at int, d *amqp.Delivery) error {
			n++
			if err := wire.Check(d.Headers); err != nil {
				t.Errorf("line %d: headers that cannot be sent: %v", at, err)
			}
			back, err := json.Marshal(lineOf(d))
			if err != nil {
				t.Fatalf("line %d cannot be written again: %v", at, err)
			}
			var l line
			if err := typed.Strictly(back, &l); err != nil {
				t.Errorf("line %d cannot be read again: %s: %v", at, back, err)
			}
			if again, err := l.delivery(); err != nil || d.Headers[wire.DeliveryCount] == nil && d.Headers[wire.AcquiredCount] == nil && len(d.Headers) > 0 && !deliverytest.SameHeader(again.Headers, d.Headers) {
				t.Errorf("line %d is another message when it is read again: %v", at, err)
			}
			return nil
		})
		if err == nil && n != report.Messages {
			t.Errorf("%d messages, and the report says %d", n, report.Messages)
		}
	})
}
