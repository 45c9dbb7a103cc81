// Package deliverytest makes the deliveries that anybody may have published, for property-based
// tests, and compares their headers.
package deliverytest

import (
	"bytes"
	"maps"
	"math"
	"reflect"
	"slices"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"pgregory.net/rapid"

	"github.com/bunnicula-go/bunnicula/internal/wire"
)

// Any makes deliveries that anybody may have written.
func Any() *rapid.Generator[*amqp.Delivery] {
	names := []string{
		wire.RetryAttempts, wire.Reason, wire.Error, wire.Stack, wire.History, wire.Queue, wire.FailedAt, wire.FirstFailedAt, wire.OriginalExchange, wire.RedriveCount,
		wire.RedriveID, wire.NotBefore, "x-death", wire.DeliveryCount, wire.AcquiredCount, "x-first-death-queue", "CC", "BCC", "bunnicula-unknown",
	}
	return rapid.Custom(func(t *rapid.T) *amqp.Delivery {
		headers := amqp.Table{}
		for range rapid.IntRange(0, 8).Draw(t, "n") {
			name := rapid.OneOf(rapid.SampledFrom(names), shortTexts()).Draw(t, "name")
			headers[name] = fields(3).Draw(t, "value")
		}
		text := func(name string) string { return shortTexts().Draw(t, name) }
		d := &amqp.Delivery{
			Headers: headers, ContentType: text("content type"), ContentEncoding: text("encoding"), CorrelationId: text("correlation"), ReplyTo: text("reply"),
			Expiration: text("expiration"), MessageId: text("id"), Type: text("type"), UserId: text("user"), AppId: text("app"), Exchange: text("exchange"), RoutingKey: text("key"),
			Priority: rapid.Byte().Draw(t, "priority"), DeliveryMode: rapid.SampledFrom([]uint8{0, 1, 2}).Draw(t, "mode"), Body: rapid.SliceOf(rapid.Byte()).Draw(t, "body"),
		}
		if rapid.Bool().Draw(t, "dated") {
			d.Timestamp = times().Draw(t, "timestamp")
		}
		if len(headers) == 0 {
			d.Headers = nil
		}
		return d
	})
}

// shortTexts are texts of up to 255 bytes, of which some are not UTF-8.
func shortTexts() *rapid.Generator[string] {
	return rapid.OneOf(rapid.StringN(0, 5, 255), rapid.Map(rapid.SliceOfN(rapid.Byte(), 0, 8), func(b []byte) string { return string(b) }), rapid.Just("base64:x"))
}

// times are what the client makes of 64 bits. Some producers write milliseconds where AMQP has
// seconds.
func times() *rapid.Generator[time.Time] {
	return rapid.Map(rapid.OneOf(rapid.Int64(), rapid.Int64Range(0, 1<<32), rapid.Just(int64(1_800_000_000_000))), func(s int64) time.Time {
		if time.Unix(s, 0).IsZero() { // the client takes it for no time
			s++
		}
		return time.Unix(s, 0)
	})
}

// fields are values of every AMQP type that the client delivers. Floats are finite: the broker
// reads no others.
func fields(depth int) *rapid.Generator[any] {
	all := []*rapid.Generator[any]{
		rapid.Just[any](nil), rapid.Bool().AsAny(), rapid.Int8().AsAny(), rapid.Int16().AsAny(), rapid.Int32().AsAny(), rapid.Int64().AsAny(),
		rapid.Uint8().AsAny(), rapid.Uint16().AsAny(), rapid.Uint32().AsAny(),
		rapid.Float32().AsAny(), rapid.Float64().AsAny(),
		rapid.Map(rapid.Int32(), func(v int32) any { return amqp.Decimal{Scale: 2, Value: v} }),
		times().AsAny(),
		rapid.SliceOf(rapid.Byte()).AsAny(), shortTexts().AsAny(),
	}
	if depth > 0 {
		all = append(all,
			rapid.Map(rapid.SliceOfN(rapid.Deferred(func() *rapid.Generator[any] { return fields(depth - 1) }), 0, 3), func(a []any) any { return a }),
			rapid.Map(rapid.MapOfN(shortTexts(), rapid.Deferred(func() *rapid.Generator[any] { return fields(depth - 1) }), 0, 3), func(m map[string]any) any { return amqp.Table(m) }),
		)
	}
	return rapid.OneOf(all...)
}

// SameHeader compares values of headers by type and value, and NaNs by their bits.
func SameHeader(a, b any) bool {
	switch a := a.(type) {
	case float32:
		b, ok := b.(float32)
		return ok && math.Float32bits(a) == math.Float32bits(b)
	case float64:
		b, ok := b.(float64)
		return ok && math.Float64bits(a) == math.Float64bits(b)
	case time.Time:
		b, ok := b.(time.Time)
		return ok && a.Unix() == b.Unix()
	case []byte:
		b, ok := b.([]byte)
		return ok && bytes.Equal(a, b)
	case []any:
		b, ok := b.([]any)
		return ok && slices.EqualFunc(a, b, SameHeader)
	case amqp.Table:
		b, ok := b.(amqp.Table)
		return ok && maps.EqualFunc(a, b, SameHeader)
	}
	return reflect.DeepEqual(a, b)
}
