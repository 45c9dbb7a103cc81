package publisher_test

import (
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/internal/sending"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/publisher"
)

func build(t *testing.T, payload any, opts ...publisher.Option) sending.Envelope {
	t.Helper()
	env, err := publisher.Config{}.Build("q", payload, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return env
}

func TestEveryMessageHasAnIDATimestampAContentTypeAndIsPersistent(t *testing.T) {
	before := time.Now().Add(-time.Second)
	a, b := build(t, 1), build(t, 2)
	for _, env := range []sending.Envelope{a, b} {
		id, err := uuid.Parse(env.MessageId)
		if err != nil || id.Version() != 7 {
			t.Errorf("message id is %q, want a UUIDv7", env.MessageId)
		}
		if env.Timestamp.Before(before) || env.Timestamp.Location() != time.UTC {
			t.Errorf("timestamp is %s", env.Timestamp)
		}
		if env.ContentType != "application/json" || env.DeliveryMode != amqp.Persistent || env.Headers != nil {
			t.Errorf("got %+v", env.Publishing)
		}
	}
	if a.MessageId >= b.MessageId {
		t.Errorf("ids do not sort by time: %s, then %s", a.MessageId, b.MessageId)
	}
	if env := build(t, []byte("x")); env.ContentType != "application/octet-stream" || string(env.Body) != "x" {
		t.Errorf("bytes: %+v", env.Publishing)
	}
	if env := build(t, "x", publisher.With(publisher.Raw)); env.ContentType != "application/octet-stream" || string(env.Body) != "x" {
		t.Errorf("a string with Raw: %+v", env.Publishing)
	}
	if env := build(t, json.RawMessage(`{"a": 1}`)); env.ContentType != "application/json" || string(env.Body) != `{"a":1}` {
		t.Errorf("JSON that is encoded already: %+v", env.Publishing)
	}
	if env := build(t, 1, nil, publisher.ContentType("text/x"), publisher.Transient(), publisher.NotMandatory()); env.ContentType != "text/x" || env.DeliveryMode != 1 || !env.NotMandatory {
		t.Errorf("with options: %+v", env)
	}
}

func TestABodyMayBeReusedAfterPublish(t *testing.T) {
	body, header := []byte("abc"), []byte("abc")
	env := build(t, body, publisher.Header("h", header))
	body[0], header[0] = 'X', 'X'
	if string(env.Body) != "abc" || string(env.Headers["h"].([]byte)) != "abc" {
		t.Errorf("body %q, header %q", env.Body, env.Headers["h"])
	}
}

func TestABodyWithNoCopyIsTheCallersOwn(t *testing.T) {
	body := []byte("abc")
	if env := build(t, body, publisher.NoCopy()); &env.Body[0] != &body[0] || env.Lent {
		t.Error("it was copied, or will be")
	}
}

func TestTheFrameworksAndTheBrokersHeadersAreNotForwarded(t *testing.T) {
	env := build(t, 1,
		publisher.Headers(map[string]any{
			"retry-attempts": 2, "bunnicula-queue": "q", "bunnicula-anything": 1, "x-death": []any{}, "x-delivery-count": 3,
			"x-acquired-count": 1, "x-first-death-queue": "q", "x-last-death-reason": "r", "x-stream-offset": 1,
			"tenant": "a", "traceparent": "00-1-2-3",
		}),
		publisher.Header("tenant", "b"), publisher.Header("x-mine", 1))
	want := amqp.Table{"tenant": "b", "traceparent": "00-1-2-3", "x-mine": int64(1)}
	if !reflect.DeepEqual(env.Headers, want) {
		t.Errorf("headers are %v, want %v", env.Headers, want)
	}
	if env := build(t, 1, publisher.Header("retry-attempts", 2)); len(env.Headers) != 0 {
		t.Errorf("headers are %v, want none", env.Headers)
	}
}

type panics struct{ publisher.Codec }

func (panics) Encode(any) (publisher.Body, error) { panic("no such schema") }

func TestBadInputIsAnErrorThatSaysWhatAndWhere(t *testing.T) {
	long := strings.Repeat("x", 256)
	deep := map[string]any{}
	deep["again"] = deep
	for name, c := range map[string]struct {
		cfg     publisher.Config
		payload any
		key     string
		opts    []publisher.Option
		want    string
	}{
		"codec error":            {payload: math.Inf(1), want: "encode float64: json: unsupported value"},
		"codec panic":            {payload: 1, opts: []publisher.Option{publisher.With(panics{publisher.JSON})}, want: "codec panicked: no such schema"},
		"codec nil":              {payload: 1, opts: []publisher.Option{publisher.With(nil)}, want: "codec is nil"},
		"raw":                    {payload: 1, opts: []publisher.Option{publisher.With(publisher.Raw)}, want: "publisher.Raw encodes []byte and string, not int"},
		"body":                   {cfg: publisher.Config{MaxBody: 3}, payload: "abc", want: "too large: the body is 5 bytes, MaxBody is 3"},
		"routing key":            {key: long, want: "routing key \"xxx"},
		"exchange":               {opts: []publisher.Option{publisher.Exchange(long)}, want: "exchange \"xxx"},
		"message id":             {opts: []publisher.Option{publisher.MessageID(long)}, want: "message id"},
		"correlation id":         {opts: []publisher.Option{publisher.CorrelationID(long)}, want: "correlation id"},
		"reply-to":               {opts: []publisher.Option{publisher.ReplyTo(long)}, want: "reply-to"},
		"type":                   {opts: []publisher.Option{publisher.Type(long)}, want: "is 256 bytes long, AMQP allows 255"},
		"app id":                 {opts: []publisher.Option{publisher.AppID(long)}, want: "app id"},
		"content type":           {opts: []publisher.Option{publisher.ContentType(long)}, want: "content type"},
		"content encoding":       {opts: []publisher.Option{publisher.ContentEncoding(long)}, want: "content encoding"},
		"negative expiration":    {opts: []publisher.Option{publisher.Expiration(-time.Second)}, want: "expiration is -1s"},
		"expiration of 11 years": {opts: []publisher.Option{publisher.Expiration(11 * 365 * 24 * time.Hour)}, want: "want whole milliseconds from 0 to 87600h0m0s"},
		"fraction of a ms":       {opts: []publisher.Option{publisher.Expiration(1500 * time.Microsecond)}, want: "expiration is 1.5ms"},
		"header name":            {opts: []publisher.Option{publisher.Header(long, 1)}, want: "header name"},
		"header type":            {opts: []publisher.Option{publisher.Header("h", struct{}{})}, want: `header "h": AMQP has no type for struct {}`},
		"header uint64":          {opts: []publisher.Option{publisher.Header("h", uint64(math.MaxUint64))}, want: `header "h": 18446744073709551615 does not fit`},
		"nested header":          {opts: []publisher.Option{publisher.Header("h", map[string]any{"a": []any{1, make(chan int)}})}, want: `header "h": "a": [1]: AMQP has no type for chan int`},
		"header without an end":  {opts: []publisher.Option{publisher.Headers(deep)}, want: "nested deeper than 16"},
		"headers above a frame":  {opts: []publisher.Option{publisher.Header("h", strings.Repeat("x", 128<<10))}, want: "too large: headers and properties are"},
		"map of another key":     {opts: []publisher.Option{publisher.Header("h", map[int]int{1: 1})}, want: "AMQP has no type for map[int]int"},
		"the exchange is named":  {opts: []publisher.Option{publisher.Exchange("e"), publisher.Expiration(-1)}, want: `publish to exchange "e", key "q"`},
		"or the queue":           {opts: []publisher.Option{publisher.Expiration(-1)}, want: `publish to queue "q"`},
		"the Config's exchange":  {cfg: publisher.Config{Exchange: "cfg"}, opts: []publisher.Option{publisher.Expiration(-1)}, want: `publish to exchange "cfg", key "q"`},
		"expiration without Cut": {opts: []publisher.Option{publisher.Expiration(math.MaxInt64)}, want: "expiration is"},
	} {
		t.Run(name, func(t *testing.T) {
			key := c.key
			if key == "" {
				key = "q"
			}
			_, err := c.cfg.Build(key, c.payload, c.opts...)
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "publisher: publish to ") {
				t.Errorf("got %v, want %q", err, c.want)
			}
			if tooLarge := strings.HasPrefix(c.want, "too large"); errors.Is(err, publisher.ErrTooLarge) != tooLarge {
				t.Errorf("%v: ErrTooLarge is %v", err, !tooLarge)
			}
		})
	}
}

func TestABadConfigIsRefusedByName(t *testing.T) {
	conn := connect(t, connection.Config{URL: "amqp://localhost"})
	for want, cfg := range map[string]publisher.Config{
		"MaxBody":  {MaxBody: -1},
		"Window":   {Window: -1},
		"65537":    {Window: 1<<16 + 1},
		"Exchange": {Exchange: strings.Repeat("x", 256)},
	} {
		if _, err := publisher.New(conn, cfg, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v", cfg, err)
		}
	}
	if _, err := publisher.New(nil, publisher.Config{}, nil); err == nil || !strings.Contains(err.Error(), "connection is nil") {
		t.Errorf("without a connection: %v", err)
	}
}

func TestEveryPropertyAndHeaderArrives(t *testing.T) {
	q := queue(t, amqp.Table{"x-queue-type": "classic", "x-max-priority": 9})
	pub := client(t, connect(t, connection.Config{}), publisher.Config{})
	at := time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC)
	type name string
	three := 3
	err := pub.Publish(soon(t), q, map[string]int{"a": 1},
		publisher.MessageID("id"), publisher.CorrelationID("corr"), publisher.ReplyTo("reply"), publisher.Type("type"), publisher.AppID("app"),
		publisher.ContentType("text/json"), publisher.ContentEncoding("identity"), publisher.Timestamp(at), publisher.Priority(7),
		publisher.Expiration(time.Hour),
		publisher.Headers(map[string]any{
			"int": math.MaxInt32 + 1, "int8": int8(-8), "int16": int16(-16), "int32": int32(-32), "int64": int64(math.MinInt64),
			"uint": uint(5), "uint8": uint8(8), "uint16": uint16(16), "uint32": uint32(math.MaxUint32), "uint64": uint64(math.MaxInt64),
			"float32": float32(0.5), "float64": 0.25, "bool": true, "nil": nil, "string": "säge", "named": name("n"),
			"bytes": []byte{0, 1}, "raw": json.RawMessage("{}"), "time": at, "decimal": amqp.Decimal{Scale: 2, Value: 314},
			"duration": time.Second, "strings": []string{"a", "b"}, "uuid": [2]byte{1, 2},
			"nested": map[string]any{"int": 1 << 40, "list": []any{1, map[string]int{"x": 2}}}, "pointer": &three,
		}))
	if err != nil {
		t.Fatal(err)
	}
	d := amqptest.Get(t, q)
	if d.MessageId != "id" || d.CorrelationId != "corr" || d.ReplyTo != "reply" || d.Type != "type" || d.AppId != "app" ||
		d.ContentType != "text/json" || d.ContentEncoding != "identity" || !d.Timestamp.Equal(at) || d.Priority != 7 ||
		d.Expiration != "3600000" || d.DeliveryMode != amqp.Persistent || string(d.Body) != `{"a":1}` {
		t.Errorf("properties: %+v", d)
	}
	want := map[string]any{
		"int": int64(math.MaxInt32 + 1), "int8": int8(-8), "int16": int16(-16), "int32": int32(-32), "int64": int64(math.MinInt64),
		"uint": int64(5), "uint8": uint8(8), "uint16": uint16(16), "uint32": uint32(math.MaxUint32), "uint64": int64(math.MaxInt64),
		"float32": float32(0.5), "float64": 0.25, "bool": true, "nil": nil, "string": "säge", "named": "n",
		"bytes": []byte{0, 1}, "raw": []byte("{}"), "decimal": amqp.Decimal{Scale: 2, Value: 314},
		"duration": int64(time.Second), "strings": []any{"a", "b"}, "uuid": []byte{1, 2},
		"nested": amqp.Table{"int": int64(1 << 40), "list": []any{int64(1), amqp.Table{"x": int64(2)}}}, "pointer": int64(3),
	}
	for k, w := range want {
		if got, there := d.Headers[k]; !there || !reflect.DeepEqual(got, w) {
			t.Errorf("header %s is %T %v, want %T %v", k, got, got, w, w)
		}
	}
	if got, ok := d.Headers["time"].(time.Time); !ok || !got.Equal(at) {
		t.Errorf("header time is %v", d.Headers["time"])
	}
}

func TestTheAppIDIsTheConnectionsName(t *testing.T) {
	q := queue(t, quorum)
	pub := client(t, connect(t, connection.Config{}), publisher.Config{})
	if err := pub.Publish(soon(t), q, 1); err != nil {
		t.Fatal(err)
	}
	if d := amqptest.Get(t, q); d.AppId != "publisher-test" {
		t.Errorf("app id is %q", d.AppId)
	}
}

func TestAllWrongFieldsAreReportedTogether(t *testing.T) {
	_, err := publisher.New(connect(t, connection.Config{URL: "amqp://localhost"}), publisher.Config{MaxBody: -1, Window: -1, Timeout: -2, Exchange: strings.Repeat("x", 256)}, nil)
	if err == nil {
		t.Fatal("it was accepted")
	}
	for _, want := range []string{"MaxBody is -1", "Window is -1", "Timeout is -2ns", "Exchange is 256"} {
		if !strings.Contains(err.Error(), "publisher: "+want) {
			t.Errorf("the error lacks %q:\n%v", want, err)
		}
	}
}
