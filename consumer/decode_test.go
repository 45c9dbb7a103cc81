package consumer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/publisher"
)

// everyType is a header of each type that the client reads from the wire.
func everyType() amqp.Table {
	return amqp.Table{
		"a-nil": nil, "a-bool": true, "a-byte": byte(200), "an-int8": int8(-8), "an-int16": int16(-16), "an-int32": int32(-32),
		"an-int64": int64(math.MinInt64), "a-uint16": uint16(65535), "a-uint32": uint32(math.MaxUint32),
		"a-float32": float32(1.5), "a-float64": math.Inf(-1), "a-decimal": amqp.Decimal{Scale: 2, Value: 995},
		"a-string": "text", "no-utf8": "\xff\xfe", "bytes": []byte{0, 1, 255}, "a-time": time.Unix(1, 0).UTC(),
		"an-array": []any{nil, int32(1), []any{"deep"}, amqp.Table{"k": false}}, "a-table": amqp.Table{"k": amqp.Table{"k": int64(7)}},
		"": "a name that is empty", "traceparent": "00-1-1-01",
	}
}

// handled runs one delivery and returns what the handler saw.
func handled(t *testing.T, s Spec, raw amqp.Delivery) Delivery {
	t.Helper()
	var seen Delivery
	ran := false
	s.Handler = func(_ context.Context, d Delivery) Result { seen, ran = d, true; return Ack() }
	if got := process(t, s, raw); !ran || got.Action != monitoring.Acked {
		t.Fatalf("the handler ran: %t, and the settlement is %+v", ran, got)
	}
	return seen
}

func TestHeadersOfEveryTypeReachTheHandler(t *testing.T) {
	want := everyType()
	got := handled(t, spec(nil), delivery(everyType()))
	if !reflect.DeepEqual(got.Headers, map[string]any(want)) {
		t.Errorf("headers\n%v, want\n%v", got.Headers, want)
	}
}

func TestOnlyTheUsersHeadersReachTheHandler(t *testing.T) {
	h := amqp.Table{
		"tenant": "acme", "x-mine": 1, "x-opt-mine": 1, "x-stream-filter-value": "f", "Bunnicula-Queue": "not ours in this spelling", "x-delivery-limit": "not the broker's",
		"retry-attempts": int64(1), "CC": []any{"q"}, "BCC": []any{"q"},
		"x-death": []any{}, "x-delivery-count": int64(1), "x-acquired-count": int64(1),
	}
	mine := []string{"tenant", "x-mine", "x-opt-mine", "x-stream-filter-value", "Bunnicula-Queue", "x-delivery-limit"}
	for _, name := range []string{
		"reason", "error", "error-type", "stack", "error-group", "history", "first-failed-at", "failed-at", "consumer", "app", "host",
		"original-exchange", "original-routing-key", "original-expiration", "original-user-id", "not-before",
		"redrive-count", "redriven-at", "redrive-id", "of-a-later-version",
	} {
		h["bunnicula-"+name] = "ours"
	}
	for _, name := range []string{"first-death-queue", "first-death-exchange", "first-death-reason", "last-death-queue", "stream-offset", "opt-rabbitmq-sent-time"} {
		h["x-"+name] = "the broker's"
	}
	seen := handled(t, spec(nil), delivery(h)).Headers
	for _, name := range mine {
		if _, ok := seen[name]; !ok {
			t.Errorf("the handler does not see %s", name)
		}
		delete(seen, name)
	}
	if len(seen) != 0 {
		t.Errorf("the handler sees %v", seen)
	}
}

func TestAMessageWithoutHeadersHasNone(t *testing.T) {
	for name, h := range map[string]amqp.Table{"nil": nil, "empty": {}, "ours only": {"retry-attempts": int64(1), "x-death": nil}} {
		if got := handled(t, spec(nil), delivery(h)).Headers; got != nil {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestEveryPropertyReachesTheHandler(t *testing.T) {
	raw := amqp.Delivery{
		ContentType: "text/plain", ContentEncoding: "gzip", Priority: 255, CorrelationId: "c", ReplyTo: "r", Expiration: "5000",
		MessageId: "m", Timestamp: time.Unix(1, 0), Type: "t", UserId: "u", AppId: "a", Redelivered: true,
		Exchange: "shop", RoutingKey: "order.placed", Body: []byte("body"),
	}
	want := Delivery{
		Consumer: "billing", Queue: "orders", Attempt: 1, MaxRetries: 7, Body: []byte("body"), Exchange: "shop", RoutingKey: "order.placed",
		MessageID: "m", CorrelationID: "c", ReplyTo: "r", Type: "t", AppID: "a", UserID: "u", ContentType: "text/plain",
		ContentEncoding: "gzip", Expiration: "5000", Priority: 255, Timestamp: time.Unix(1, 0), Since: time.Unix(1, 0).UTC(), Redelivered: true,
	}
	if got := handled(t, spec(func(s *Spec) { s.Name, s.MaxRetries = "billing", 7 }), raw); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v\nwant %+v", got, want)
	}
}

func TestRetryAttemptsOfAnyTypeAreACountOrNothing(t *testing.T) {
	for _, row := range []struct {
		header any
		want   int // with 5 retries
	}{
		{nil, 1},
		{int64(0), 1}, {int64(1), 2}, {int64(5), 6}, {int64(6), 6}, {int64(math.MaxInt64), 6}, {int64(-1), 1}, {int64(math.MinInt64), 1},
		{int32(2), 3}, {int32(math.MaxInt32), 6}, {int32(-2), 1}, {int16(2), 3}, {int16(-2), 1}, {int8(2), 3}, {int8(-2), 1},
		{byte(2), 3}, {byte(255), 6}, {uint16(2), 3}, {uint16(65535), 6}, {uint32(2), 3}, {uint32(math.MaxUint32), 6},
		{float64(2), 3}, {2.9, 3}, {math.NaN(), 1}, {math.Inf(1), 6}, {math.Inf(-1), 1}, {-0.5, 1}, {1e300, 6},
		{float32(math.NaN()), 1}, {float32(2), 3},
		{"2", 3}, {"-2", 1}, {"", 1}, {"two", 1}, {"2 ", 1}, {"0x2", 1}, {"99999999999999999999999", 6},
		{[]byte("2"), 3}, {[]byte("two"), 1}, {true, 1}, {time.Unix(2, 0), 1}, {amqp.Decimal{Value: 2}, 1},
		{amqp.Table{"n": int64(2)}, 1}, {amqp.Table(nil), 1}, {[]any{int64(2)}, 1}, {[]any(nil), 1},
	} {
		got := handled(t, spec(func(s *Spec) { s.MaxRetries = 5 }), delivery(amqp.Table{"retry-attempts": row.header}))
		if got.Attempt != row.want {
			t.Errorf("retry-attempts %T %v is attempt %d, want %d", row.header, row.header, got.Attempt, row.want)
		}
	}
}

func TestOurHeadersAreBelievedIfTheyAreThisQueuesOrClojures(t *testing.T) {
	ours := func(queue ...any) amqp.Table {
		h := amqp.Table{
			"retry-attempts": int64(2), "bunnicula-original-exchange": "shop", "bunnicula-original-routing-key": "order.placed",
			"bunnicula-original-expiration": "5000", "bunnicula-original-user-id": "ann",
			"bunnicula-not-before": time.Now().Add(-time.Hour).Format(time.RFC3339Nano),
		}
		for _, q := range queue {
			h["bunnicula-queue"] = q
		}
		return h
	}
	for name, row := range map[string]struct {
		headers  amqp.Table
		believed bool
	}{
		"of this queue":       {ours("orders"), true},
		"of no queue":         {ours(), true},
		"of another queue":    {ours("emails"), false},
		"of a queue of bytes": {ours([]byte("orders")), false},
		"of a number":         {ours(int64(1)), false},
		"of a table":          {ours(amqp.Table{"orders": "orders"}), false},
		"of an array":         {ours([]any{"orders"}), false},
		"of nil":              {ours(nil), false},
	} {
		t.Run(name, func(t *testing.T) {
			raw := delivery(row.headers)
			raw.Exchange, raw.RoutingKey, raw.Expiration, raw.UserId = "", "orders", "", ""
			got := handled(t, spec(nil), raw)
			want := Delivery{Attempt: 1, RoutingKey: "orders"}
			if row.believed {
				want = Delivery{Attempt: 3, Exchange: "shop", RoutingKey: "order.placed", Expiration: "5000", UserID: "ann"}
			}
			if got.Attempt != want.Attempt || got.Exchange != want.Exchange || got.RoutingKey != want.RoutingKey ||
				got.Expiration != want.Expiration || got.UserID != want.UserID {
				t.Errorf("%+v\nwant %+v", got, want)
			}
			if len(got.Headers) != 0 {
				t.Errorf("the handler sees %v", got.Headers)
			}
		})
	}
}

func TestOriginalsThatAreNoTextAreIgnored(t *testing.T) {
	for _, v := range []any{nil, int64(1), true, amqp.Table{}, []any{"a"}, math.NaN()} {
		got := handled(t, spec(nil), delivery(amqp.Table{
			"bunnicula-original-exchange": v, "bunnicula-original-routing-key": v, "bunnicula-original-expiration": v, "bunnicula-original-user-id": v,
		}))
		if got.Exchange != "" || got.RoutingKey != "orders" || got.Expiration != "" || got.UserID != "" {
			t.Errorf("%T %v: %+v", v, v, got)
		}
	}
}

func TestANotBeforeThatIsNoTimeIsIgnored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, v := range []any{
			"", "tomorrow", "9999-99-99T00:00:00Z", "2999-01-01", int64(math.MaxInt64), time.Now().Add(time.Hour), nil, true,
			amqp.Table{"at": "2999-01-01T00:00:00Z"}, []any{}, strings.Repeat("9", 1000),
		} {
			handled(t, spec(nil), delivery(amqp.Table{"bunnicula-not-before": v, "bunnicula-queue": "orders"}))
		}
		future := time.Now().Add(time.Hour).Format(time.RFC3339Nano)
		handled(t, spec(nil), delivery(amqp.Table{"bunnicula-not-before": future, "bunnicula-queue": "emails"}))
		if got := process(t, spec(nil), delivery(amqp.Table{"bunnicula-not-before": []byte(future)})); !early(got) {
			t.Errorf("a time as bytes is a time: %+v", got)
		}
	})
}

type item struct {
	ID   int     `json:"id"`
	Name string  `json:"name"`
	Cost float32 `json:"cost"`
	Deep any     `json:"deep"`
}

func TestABodyThatCannotBeDecodedIsParkedAtOnce(t *testing.T) {
	for name, body := range map[string]string{
		"nothing":                  "",
		"blanks":                   " \n\t",
		"text":                     "hello",
		"half an object":           `{"id": 7`,
		"two objects":              `{"id": 7} {"id": 8}`,
		"an array for an object":   `[]`,
		"a string for an object":   `"7"`,
		"a string for a number":    `{"id": "7"}`,
		"a fraction for an int":    `{"id": 7.5}`,
		"an int too large":         `{"id": 9223372036854775808}`,
		"a number with 400 digits": `{"id": ` + strings.Repeat("9", 400) + `}`,
		"a float too large":        `{"cost": 1e400}`,
		"a NaN":                    `{"cost": NaN}`,
		"a byte order mark":        "\xef\xbb\xbf{}",
		"UTF-16":                   "{\x00}\x00",
		"invalid UTF-8 outside":    "{\"id\": 7}\xff",
		"a control character":      "{\"name\": \"a\x00b\"}",
		"100,000 arrays deep":      `{"deep":` + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000) + `}`,
		"100,000 objects deep":     strings.Repeat(`{"deep":`, 100_000) + "1" + strings.Repeat("}", 100_000),
		"100,000 arrays, unclosed": strings.Repeat("[", 100_000),
	} {
		t.Run(name, func(t *testing.T) {
			ran := false
			raw := delivery(amqp.Table{"retry-attempts": int64(1)})
			raw.Body = []byte(body)
			s := process(t, spec(func(s *Spec) {
				s.Handler = JSON(func(context.Context, Message[item]) Result { ran = true; return Ack() })
			}), raw)
			if ran {
				t.Error("the handler ran")
			}
			var d *DecodeError
			if in(s) != (said{monitoring.Parked, monitoring.ReasonUndecodable, 0}) || !errors.As(s.Err, &d) {
				t.Fatalf("%v %v", in(s), s.Err)
			}
			if s.Copy.RoutingKey != "orders-error" || attempts(s) != 1 || !bytes.Equal(s.Copy.Body, raw.Body) || s.Copy.Headers["bunnicula-reason"] != "undecodable" {
				t.Errorf("%q %v", s.Copy.RoutingKey, s.Copy.Headers)
			}
		})
	}
}

func TestABodyThatIsLegalIsHandled(t *testing.T) {
	for name, row := range map[string]struct {
		body string
		want item
	}{
		"an object":            {`{"id": 7}`, item{ID: 7}},
		"an empty object":      {`{}`, item{}},
		"null":                 {`null`, item{}},
		"blanks around":        {" \n{\"id\": 7}\r\n", item{ID: 7}},
		"fields nobody knows":  {`{"id": 7, "color": "red"}`, item{ID: 7}},
		"a name twice":         {`{"id": 7, "id": 8}`, item{ID: 8}},
		"invalid UTF-8 inside": {"{\"name\": \"a\xffb\"}", item{Name: "a\uFFFDb"}},
		"half a surrogate":     {`{"name": "\ud800"}`, item{Name: "\uFFFD"}},
		"1,000 arrays deep":    {`{"id": 7, "x":` + strings.Repeat("[", 1000) + strings.Repeat("]", 1000) + `}`, item{ID: 7}},
		"a number too small":   {`{"cost": 1e-400}`, item{}},
	} {
		t.Run(name, func(t *testing.T) {
			var got item
			raw := delivery(nil)
			raw.Body = []byte(row.body)
			s := process(t, spec(func(s *Spec) {
				s.Handler = JSON(func(_ context.Context, msg Message[item]) Result {
					got = msg.Payload
					if !bytes.Equal(msg.Body, raw.Body) {
						t.Errorf("Body is %q", msg.Body)
					}
					return Ack()
				})
			}), raw)
			if s.Action != monitoring.Acked || got != row.want {
				t.Errorf("%v %v: %+v, want %+v", in(s), s.Err, got, row.want)
			}
		})
	}
}

// codec is one that does as it is told.
type codec struct{ decode func() error }

func (codec) Encode(any) (publisher.Body, error) { return publisher.Body{}, nil }
func (c codec) Decode(publisher.Body, any) error { return c.decode() }

var _ publisher.Codec = codec{}

func TestACodecThatMisbehavesCannotDecode(t *testing.T) {
	for name, row := range map[string]struct {
		decode func() error
		want   string
	}{
		"it fails":                        {func() error { return errBoom }, "decode: boom"},
		"it panics":                       {func() error { panic("boom") }, "decode: codec panicked: boom"},
		"it panics with an error":         {func() error { panic(errBoom) }, "decode: codec panicked: boom"},
		"it panics with nil":              {func() error { panic(nil) }, "decode: codec panicked: panic called with nil argument"},
		"its error says nothing":          {func() error { return errors.New("") }, "decode: the codec gave no reason"},
		"its error is a nil that panics":  {func() error { return (*silent)(nil) }, "decode: *consumer.silent: its Error method panicked"},
		"its error is nil, wrapped twice": {func() error { return fmt.Errorf("a: %w", fmt.Errorf("b: %w", errBoom)) }, "decode: a: b: boom"},
	} {
		t.Run(name, func(t *testing.T) {
			s := process(t, spec(func(s *Spec) {
				s.Handler = Decode(codec{row.decode}, func(context.Context, Message[int]) Result { t.Error("the handler ran"); return Ack() })
			}), delivery(nil))
			if s.Reason != monitoring.ReasonUndecodable || s.Action != monitoring.Parked || !strings.HasPrefix(fmt.Sprint(s.Err), row.want) {
				t.Errorf("%v %v, want %s", in(s), s.Err, row.want)
			}
		})
	}
}

// silent is an error whose methods panic when it is nil.
type silent struct{ err error }

func (s *silent) Error() string { return s.err.Error() }
func (s *silent) Unwrap() error { return s.err }

func TestAHandlerCannotChangeWhatIsCopied(t *testing.T) {
	raw := delivery(amqp.Table{"tenant": "acme"})
	s := process(t, spec(func(s *Spec) {
		s.Handler = func(_ context.Context, d Delivery) Result {
			delete(d.Headers, "tenant")
			d.Headers["mine"] = 1
			return Retry(nil)
		}
	}), raw)
	if s.Copy.Headers["tenant"] != "acme" || s.Copy.Headers["mine"] != nil || !maps.Equal(raw.Headers, amqp.Table{"tenant": "acme"}) {
		t.Errorf("%v %v", s.Copy.Headers, raw.Headers)
	}
}
