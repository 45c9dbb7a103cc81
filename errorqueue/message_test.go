package errorqueue

import (
	"encoding/json"
	"maps"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"pgregory.net/rapid"

	"github.com/bunnicula-go/bunnicula/internal/sending"
	"github.com/bunnicula-go/bunnicula/internal/test/deliverytest"
	"github.com/bunnicula-go/bunnicula/internal/wire"
)

var now = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

func ordersQueue() *Queue { return newQueue(Config{Queue: "orders", ErrorQueue: "orders-error"}) }

// deliveryOf returns a message in the form in which the broker delivers it.
func deliveryOf(p amqp.Publishing) *amqp.Delivery {
	return &amqp.Delivery{
		Headers: p.Headers, ContentType: p.ContentType, ContentEncoding: p.ContentEncoding, DeliveryMode: p.DeliveryMode, Priority: p.Priority,
		CorrelationId: p.CorrelationId, ReplyTo: p.ReplyTo, Expiration: p.Expiration, MessageId: p.MessageId, Timestamp: p.Timestamp, Type: p.Type,
		UserId: p.UserId, AppId: p.AppId, RoutingKey: "orders-error", Body: p.Body,
	}
}

func TestAParkedMessageTellsAll(t *testing.T) {
	p := parked("orders", 7)
	p.Headers[wire.RedriveCount], p.Headers[wire.RedriveID], p.Headers[wire.RedrivenAt] = int64(2), "r", "2026-11-01T09:30:00Z"
	p.Headers[wire.DeliveryCount], p.Headers[wire.Due] = int64(5), "2026-11-01T08:30:00.250Z"
	got := ordersQueue().read(deliveryOf(p), 3)
	at := func(s string) time.Time { v, _ := time.Parse(time.RFC3339, s); return v }
	want := Message{
		Position: 3, ID: id(7), Mark: "da4f8007158d185cb1d2128b4b059d1f", Origin: OriginConsumer, Reason: "timeout", Error: "dial tcp: connection refused", Type: "*net.OpError", Group: "0123456789abcdef",
		Consumer: "c", Host: "h", App: "shop", AppVersion: "v1.2.0", Target: "orders", TargetFrom: fromHeader, Attempts: 4,
		FirstFailedAt: at("2026-11-01T09:00:00Z"), FailedAt: at("2026-11-01T10:00:00Z"),
		History:          []Attempt{{At: at("2026-11-01T10:00:00Z"), Attempt: 4, Reason: "timeout", Error: "late", Host: "h", Took: 1500 * time.Millisecond}},
		OriginalExchange: "shop", OriginalRoutingKey: "order.placed", RedriveCount: 2, RedrivenAt: at("2026-11-01T09:30:00Z"), RedriveID: "r", Due: at("2026-11-01T08:30:00.250Z"),
		Headers: map[string]any{"tenant": "acme", "n": int32(7)}, Timestamp: p.Timestamp, ContentType: "application/json", Deliveries: 5,
		Body: p.Body, BodySize: len(p.Body),
	}
	if took := got.tookToFail(); took != 30*time.Minute {
		t.Errorf("it took %s to fail, want the time since it was redriven", took)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v\nwant\n%+v", got, want)
	}
}

func TestWhoParkedItAndWhereItGoes(t *testing.T) {
	death := func(queue, reason string) amqp.Table {
		return amqp.Table{"queue": queue, "reason": reason, "count": int64(1), "exchange": "", "routing-keys": []any{queue}, "time": now}
	}
	for name, c := range map[string]struct {
		headers  amqp.Table
		origin   Origin
		reason   string
		target   string
		from     string
		attempts int
	}{
		"nothing":              {nil, OriginOther, "", "orders", fromOpened, 0},
		"clojure":              {amqp.Table{"retry-attempts": int32(4)}, OriginClojure, "", "orders", fromOpened, 4},
		"consumer":             {amqp.Table{wire.Reason: "error", wire.Queue: "emails", wire.RetryAttempts: int64(0)}, OriginConsumer, "error", "emails", fromHeader, 1},
		"expired":              {amqp.Table{"x-death": []any{death("orders", "expired")}}, OriginBroker, "expired", "orders", fromDeath, 0},
		"limit after retries":  {amqp.Table{wire.Reason: "retry", wire.Queue: "orders", wire.RetryAttempts: int64(2), "x-death": []any{death("orders", "delivery_limit"), death("orders-retry-1s", "expired")}}, OriginBroker, "delivery_limit", "orders", fromHeader, 3},
		"quarantine":           {amqp.Table{"x-death": []any{death("orders-quarantine", "delivery_limit")}}, OriginBroker, "delivery_limit", "orders", fromDeath, 0},
		"another queue":        {amqp.Table{"x-death": []any{death("emails", "rejected")}}, OriginBroker, "rejected", "emails", fromDeath, 0},
		"points at itself":     {amqp.Table{wire.Queue: "orders-error"}, OriginConsumer, "", "orders", fromOpened, 1},
		"headers of odd types": {amqp.Table{wire.Reason: int32(1), wire.Queue: []any{}, wire.History: "{", wire.FailedAt: "soon", "x-death": "x", wire.RedriveCount: "x"}, OriginOther, "", "orders", fromOpened, 0},
		"odd deaths":           {amqp.Table{"x-death": []any{nil, amqp.Table{"queue": int32(1), "routing-keys": []any{nil}}}}, OriginBroker, "", "orders", fromOpened, 0},
	} {
		m := ordersQueue().read(deliveryOf(amqp.Publishing{Headers: c.headers}), 1)
		if m.Origin != c.origin || m.Reason != c.reason || m.Target != c.target || m.TargetFrom != c.from || m.Attempts != c.attempts {
			t.Errorf("%s: got %s %q %s %s %d", name, m.Origin, m.Reason, m.Target, m.TargetFrom, m.Attempts)
		}
	}
	unknown := newQueue(Config{ErrorQueue: "parked"}).read(deliveryOf(amqp.Publishing{}), 1)
	if unknown.Target != "" || unknown.TargetFrom != fromNobody {
		t.Errorf("got %q %s", unknown.Target, unknown.TargetFrom)
	}
}

func TestAMessageIsJSONWhateverItHolds(t *testing.T) {
	m := Message{ID: "m", Headers: map[string]any{"n": int32(1), "nan": math.NaN(), "\xff": amqp.Decimal{Value: 1}}, Body: []byte("text")}
	text, err := json.Marshal(m)
	if err != nil || !strings.Contains(string(text), `"n":{"int32":1}`) || !strings.Contains(string(text), `"body":"text"`) {
		t.Errorf("%s, %v", text, err)
	}
	m.Body = []byte{0xff}
	if text, err = json.Marshal(&m); err != nil || !strings.Contains(string(text), `"body_base64":"/w=="`) {
		t.Errorf("%s, %v", text, err)
	}
}

func TestWhatIsRedrivenIsSafeToPublishAndKeepsWhatIsTheUsers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := deliverytest.Any().Draw(t, "message")
		h := &held{Delivery: *d, message: ordersQueue().read(d, 1)}
		for name, env := range map[string]sending.Envelope{
			"redriven": afresh(h, "orders", taker{"me", wire.MaxProperties}, stamp{id: "r", at: now}), "archived": asItIs(h, "orders-archive", taker{"me", wire.MaxProperties}),
		} {
			switch {
			case env.Exchange != "" || env.NotMandatory || env.DeliveryMode != amqp.Persistent:
				t.Fatalf("%s: %+v", name, env)
			case env.Expiration != "" || env.UserId != "" && env.UserId != "me":
				t.Fatalf("%s: expiration %q, user id %q", name, env.Expiration, env.UserId)
			case string(env.Body) != string(d.Body) || env.CorrelationId != d.CorrelationId || env.ReplyTo != d.ReplyTo || env.Type != d.Type || env.Priority != d.Priority || env.AppId != d.AppId:
				t.Fatalf("%s is not the same message: %+v", name, env)
			case d.MessageId != "" && env.MessageId != d.MessageId || name == "redriven" && env.MessageId == "":
				t.Fatalf("%s: message id %q", name, env.MessageId)
			case env.MessageId != "" && (d.MessageId == "" || d.Headers[wire.MessageIDGiven] == true) != (env.Headers[wire.MessageIDGiven] == true):
				t.Fatalf("%s: message id %q, was %q, the mark is %v", name, env.MessageId, d.MessageId, env.Headers[wire.MessageIDGiven])
			}
			for k, v := range env.Headers {
				if wire.IsBrokers(k) || wire.IsRouting(k) || k == wire.NotBefore {
					t.Fatalf("%s has the header %s", name, k)
				}
				if wire.IsUsers(k) && !deliverytest.SameHeader(v, d.Headers[k]) {
					t.Fatalf("%s: header %s is %v, was %v", name, k, v, d.Headers[k])
				}
			}
			for k := range d.Headers {
				if _, there := env.Headers[k]; wire.IsUsers(k) && !there {
					t.Fatalf("%s has no header %q", name, k)
				}
			}
			if name == "redriven" {
				if _, counted := env.Headers[wire.RetryAttempts]; counted || env.Headers[wire.Queue] != "orders" || env.Headers[wire.RedriveID] != "r" {
					t.Fatalf("redriven with %v", env.Headers)
				}
			}
		}
	})
}

func TestARedrivenMessageWhoseHeadersFillAFrameStillFits(t *testing.T) {
	for _, frame := range []int{128 << 10, 8192, 4096} {
		for _, left := range []int{2000, 600, 300} {
			stillFits(t, wire.Fits(frame), left)
		}
	}
	stillFits(t, wire.MaxProperties, 20_000)
}

// stillFits asserts that a message whose user's headers leave so many bytes of a frame free can be
// published again, with all of them.
func stillFits(t *testing.T, fits, left int) {
	t.Helper()
	size, to := fits-left, taker{"", fits}
	p := parked("orders", 1)
	p.Headers[wire.Stack], p.Headers[wire.Error] = strings.Repeat("s", 8000), strings.Repeat("e", 2000)
	p.Headers["fat"] = ""
	user := sending.Envelope{Publishing: wire.Again(deliveryOf(p), "")}
	p.Headers["fat"] = strings.Repeat("x", size-user.PropertiesSize())
	d := deliveryOf(p)
	h := &held{Delivery: *d, message: ordersQueue().read(d, 1)}
	for name, env := range map[string]sending.Envelope{"redriven": afresh(h, "orders", to, stamp{id: "r", at: now}), "archived": asItIs(h, "a", to)} {
		if err := env.Check(); err != nil || env.PropertiesSize() > fits-wire.RoomToCome {
			t.Errorf("%s, with %d bytes of the user's: %d bytes, %v", name, size, env.PropertiesSize(), err)
		}
		if env.Headers["fat"] != p.Headers["fat"] {
			t.Errorf("%s: the user's header is cut", name)
		}
	}
}

func TestABatchIsWatchedForAsLongAsItsSlowestMessageTookToFail(t *testing.T) {
	first := time.Date(2026, 11, 1, 9, 0, 0, 0, time.UTC)
	var s plan
	for _, m := range []Message{
		{},
		{FailedAt: first},
		{FirstFailedAt: first, FailedAt: first.Add(3 * time.Minute)},
		{FirstFailedAt: first, FailedAt: first.Add(2 * time.Hour), RedrivenAt: first.Add(119 * time.Minute)},
		{FirstFailedAt: first.Add(time.Hour), FailedAt: first}, // clocks differ
	} {
		s.add(&m, take, "")
	}
	if s.slowest != 3*time.Minute {
		t.Errorf("the slowest took %s", s.slowest)
	}
	for slowest, want := range map[time.Duration]time.Duration{
		0: time.Minute, 40 * time.Second: time.Minute, 3 * time.Minute: 3*time.Minute + 28*time.Second, 5 * time.Hour: time.Hour,
	} {
		if got := watchFor(slowest); got != want {
			t.Errorf("%s: %s, want %s", slowest, got, want)
		}
	}
}

// A copy that waits leaves to its history, and to its way back, what they say as well.
func TestAMessageThatTheBrokerParksAfterARetrySaysWhatItsHistorySays(t *testing.T) {
	death := func(queue, reason, key string) amqp.Table {
		return amqp.Table{"queue": queue, "reason": reason, "count": int64(1), "exchange": "", "routing-keys": []any{key}}
	}
	for name, row := range map[string]struct{ headers, want amqp.Table }{
		"published to the queue":           {nil, amqp.Table{"exchange": "", "key": "orders"}},
		"published to an exchange":         {amqp.Table{wire.OriginalExchange: "shop", wire.OriginalRoutingKey: "placed"}, amqp.Table{"exchange": "shop", "key": "placed"}},
		"with the queue's name as its key": {amqp.Table{wire.OriginalExchange: "shop"}, amqp.Table{"exchange": "shop", "key": "orders"}},
	} {
		t.Run(name, func(t *testing.T) {
			h := amqp.Table{
				wire.RetryAttempts: int64(1), wire.Queue: "orders",
				wire.History: `[{"at":"2026-11-01T10:00:00Z","attempt":1,"reason":"retry","error":"mail server is down","host":"vm","ms":1}]`,
				"x-death":    []any{death("orders", "delivery_limit", "orders"), death("orders-retry-10s", "expired", "orders-retry-10s")},
			}
			maps.Copy(h, row.headers)
			m := ordersQueue().read(deliveryOf(amqp.Publishing{MessageId: "m", Headers: h}), 1)
			if m.Origin != OriginBroker || m.Reason != "delivery_limit" || m.Error != "mail server is down" ||
				!m.FirstFailedAt.Equal(time.Date(2026, 11, 1, 10, 0, 0, 0, time.UTC)) {
				t.Errorf("%+v", m)
			}
			if m.OriginalExchange != row.want["exchange"] || m.OriginalRoutingKey != row.want["key"] {
				t.Errorf("it was published to %q, %q, want %v", m.OriginalExchange, m.OriginalRoutingKey, row.want)
			}
		})
	}
}
