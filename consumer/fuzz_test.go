package consumer

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/wire"
	"github.com/bunnicula-go/bunnicula/monitoring"
)

// headerNames are all that mean something to somebody.
var headerNames = []string{
	wire.RetryAttempts, wire.Queue, wire.NotBefore, wire.History, wire.Reason, wire.Error, wire.ErrorType, wire.Stack, wire.ErrorGroup,
	wire.FirstFailedAt, wire.FailedAt, wire.Consumer, wire.App, wire.AppVersion, wire.Host, wire.OriginalExchange, wire.OriginalRoutingKey,
	wire.OriginalExpiration, wire.OriginalUserID, wire.RedriveCount, wire.RedrivenAt, wire.RedriveID, "bunnicula-unknown",
	wire.DeliveryCount, "x-death", "x-first-death-queue", "CC", "tenant", "traceparent",
}

// headerValue makes a value of any AMQP type of what the fuzzer gives.
func headerValue(kind byte, n int64, x float64, s string) any {
	switch kind % 22 {
	case 0:
		return nil
	case 1:
		return n%2 == 0
	case 2:
		return byte(n)
	case 3:
		return int8(n)
	case 4:
		return int16(n)
	case 5:
		return int32(n)
	case 6:
		return n
	case 7:
		return uint16(n)
	case 8:
		return uint32(n)
	case 9:
		return float32(x)
	case 10:
		return x
	case 11:
		return amqp.Decimal{Scale: byte(n), Value: int32(n)}
	case 12:
		return []byte(s)
	case 13:
		return time.Unix(n, 0)
	case 14:
		return []any{n, s, x, nil}
	case 15:
		return amqp.Table{s: n, "count": amqp.Table{"deep": s}}
	case 16:
		return amqp.Table(nil)
	case 17:
		return "orders" // this queue's name
	case 18:
		return time.Now().Add(time.Duration(n)).UTC().Format(time.RFC3339Nano)
	case 19:
		return `[{"at":` + s + `,"attempt":1}]`
	case 20:
		return strings.Repeat(s, int(n&0xfff))
	}
	return s
}

// fuzzHeaders gives some of the headerNames values of several types.
func fuzzHeaders(which, kinds []byte, n int64, x float64, s string) amqp.Table {
	h := amqp.Table{}
	for i, name := range which {
		kind := byte(i)
		if len(kinds) > 0 {
			kind = kinds[i%len(kinds)]
		}
		h[headerNames[int(name)%len(headerNames)]] = headerValue(kind, n, x, s)
	}
	return h
}

// FuzzDecode lives through a message's whole life, whatever headers it came with: its handler
// asks for one retry after the other.
func FuzzDecode(f *testing.F) {
	all := make([]byte, len(headerNames))
	for i := range all {
		all[i] = byte(i)
	}
	f.Add([]byte("{}"), []byte(nil), []byte(nil), int64(0), 0.0, "", byte(0))
	for kind := range byte(22) {
		f.Add([]byte("{}"), all, []byte{kind}, int64(math.MinInt64), math.NaN(), "\xff", kind)
		f.Add([]byte{0}, []byte{0, 1}, []byte{kind, 17}, int64(math.MaxInt64), math.Inf(1), "9999999999999999999999", kind)
		f.Add([]byte(nil), []byte{0, 1, 2, 3}, []byte{6, 17, 18, kind}, int64(time.Hour), -1.0, "2026-01-01T00:00:00Z", kind)
	}
	f.Add([]byte("0"), []byte{20, 18}, []byte{20}, int64(math.MaxInt64), 0.0, "0001", byte(1)) // a redrive count of 16,000 digits
	f.Fuzz(func(t *testing.T, body, which, kinds []byte, n int64, x float64, s string, result byte) {
		const retries = 3
		raw := delivery(fuzzHeaders(which, kinds, n, x, s))
		raw.Body = body
		runs := 0
		var seen Delivery
		c := quiet(t, patient(func(spec *Spec) {
			spec.MaxRetries = retries
			spec.Handler = func(_ context.Context, d Delivery) Result {
				runs++
				seen = d
				return []Result{Retry(nil), RetryAfter(time.Duration(n), errBoom), {}, Retry(&silent{}), Timeout(errBoom)}[result%5]
			}
		}))
		user := fmt.Sprintf("%#v", wire.UserHeaders(raw.Headers)) // as text, where NaN equals NaN
		for hop := 0; ; hop++ {
			before := runs
			s := c.Process(t.Context(), raw)
			switch {
			case s.Copy == nil:
				t.Fatalf("hop %d: no copy of a message that was not acked: %+v", hop, s)
			case hop > 2*(retries+2):
				t.Fatalf("hop %d: it goes round for ever: %v", hop, s.Copy.Headers)
			case !bytes.Equal(s.Copy.Body, body) || fmt.Sprintf("%#v", wire.UserHeaders(s.Copy.Headers)) != user:
				t.Fatalf("hop %d: the copy is another message: %v", hop, s.Copy.Headers)
			case s.Copy.Headers.Validate() != nil:
				t.Fatalf("hop %d: %v", hop, s.Copy.Headers.Validate())
			case wire.Size(ours(s.Copy.Headers)) > wire.MaxOurs:
				t.Fatalf("hop %d: ours have %d bytes", hop, wire.Size(ours(s.Copy.Headers)))
			}
			if runs > before && (seen.Attempt < 1 || seen.Attempt > retries+1 || seen.MaxRetries != retries) {
				t.Fatalf("hop %d: the handler saw attempt %d of %d", hop, seen.Attempt, seen.MaxRetries)
			}
			if s.Action == monitoring.Parked {
				break
			}
			if early(s) != (runs == before) {
				t.Fatalf("hop %d: early %t, and the handler ran %d times", hop, early(s), runs-before)
			}
			if !early(s) && attempts(s) != int64(seen.Attempt) {
				t.Fatalf("hop %d: the copy of attempt %d has the count %d", hop, seen.Attempt, attempts(s))
			}
			raw = back(s)
			delete(raw.Headers, wire.NotBefore) // its time has come
		}
		if runs > retries+1 {
			t.Fatalf("the handler ran %d times", runs)
		}
	})
}

// FuzzJSONBody compares with encoding/json: what it takes is handled, and all else is parked.
func FuzzJSONBody(f *testing.F) {
	for _, body := range []string{
		"", " ", "null", "{}", "[]", `{"id":7}`, `{"id":"7"}`, `{"id":1e400}`, `{"name":"\ud800"}`, "{\"name\":\"\xff\"}", "\xef\xbb\xbf{}",
		strings.Repeat("[", 200), `{"deep":` + strings.Repeat("[", 200) + strings.Repeat("]", 200) + `}`, `{"id":7}{"id":8}`, "\x00",
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		ran := false
		var got, want item
		raw := delivery(nil)
		raw.Body = bytes.Clone(body)
		s := process(t, spec(func(s *Spec) {
			s.Handler = JSON(func(_ context.Context, msg Message[item]) Result {
				ran, got = true, msg.Payload
				return Ack()
			})
		}), raw)
		if !bytes.Equal(raw.Body, body) {
			t.Fatal("the body was changed")
		}
		if err := json.Unmarshal(body, &want); err != nil {
			if ran || in(s) != (said{monitoring.Parked, monitoring.ReasonUndecodable, 0}) || !bytes.Equal(s.Copy.Body, body) {
				t.Fatalf("%v, but the handler ran %t: %v", err, ran, in(s))
			}
			return
		}
		if !ran || s.Action != monitoring.Acked || !reflect.DeepEqual(got, want) {
			t.Fatalf("the handler ran %t with %+v, want %+v: %v %v", ran, got, want, in(s), s.Err)
		}
	})
}
