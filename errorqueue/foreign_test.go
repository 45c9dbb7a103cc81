package errorqueue

import (
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"pgregory.net/rapid"

	"github.com/bunnicula-go/bunnicula/internal/test/deliverytest"
	"github.com/bunnicula-go/bunnicula/internal/wire"
)

// milliseconds is a timestamp of a producer that does not write seconds.
var milliseconds = time.Unix(1_800_000_000_000, 0)

func TestWhateverIsParkedIsJSON(t *testing.T) {
	q := ordersQueue()
	rapid.Check(t, func(t *rapid.T) {
		d := deliverytest.Any().Draw(t, "message")
		m := q.read(d, 1)
		g := grouping{most: 1, key: keys[ByGroup], groups: map[string]*Group{}}
		g.add(m)
		for what, v := range map[string]any{"message": m, "pointer": &m, "groups": g.report(), "deaths": m.Deaths, "history": m.History} {
			if text, err := json.Marshal(v); err != nil || !json.Valid(text) {
				t.Fatalf("%s: %v", what, err)
			}
		}
	})
}

func TestATimeOutOfRangeIsANumberInJSONOrLeftOut(t *testing.T) {
	table := amqp.Table{"queue": "orders", "reason": "expired", "count": int64(1), "exchange": "", "routing-keys": []any{"orders"}, "time": milliseconds}
	d := deliveryOf(amqp.Publishing{
		MessageId: "m", Timestamp: milliseconds,
		Headers: amqp.Table{
			"x-death": []any{table}, "when": milliseconds, wire.RedrivenAt: "58840-01-01T00:00:00Z", wire.FirstFailedAt: "9999-12-31T23:59:59-05:00",
			wire.History: `[{"at":"2026-11-01T10:00:00+24:00","attempt":1,"ms":9223372036854775807},{"at":"soon","attempt":2,"ms":-5}]`,
		},
	})
	m := ordersQueue().read(d, 1)
	if !m.Timestamp.Equal(milliseconds) || !m.Deaths[0].At.Equal(milliseconds) {
		t.Errorf("the message has not what was published: %v, %v", m.Timestamp, m.Deaths[0].At)
	}
	if !m.FailedAt.IsZero() || !m.FirstFailedAt.Equal(m.History[0].At) || !m.RedrivenAt.IsZero() || !m.since().IsZero() || m.tookToFail() != 0 {
		t.Errorf("a time that is none is known: %v, %v, %v, %v", m.FailedAt, m.FirstFailedAt, m.RedrivenAt, m.since())
	}
	if took := m.History[0].Took; took < 290*365*24*time.Hour || m.History[1].Took != 0 {
		t.Errorf("the attempts took %v, %v", took, m.History[1].Took)
	}
	text, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"timestamp":1800000000000`, `"count":1,"exchange":"","routing_key":"orders","at":1800000000000}`, `"when":{"timestamp":1800000000000}`,
		`"history":[{"at":"2026-10-31T10:00:00Z",`, `{"attempt":2,"reason":"","took":0}`,
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("it does not have %s: %s", want, text)
		}
	}
	for _, left := range []string{`"failed_at"`, "redriven_at", "0001-01-01"} {
		if strings.Contains(string(text), left) {
			t.Errorf("it has %s: %s", left, text)
		}
	}
}

func TestATimeInRangeIsAsBeforeInJSON(t *testing.T) {
	at := time.Unix(1_800_000_000, 0).In(time.FixedZone("", -5*3600))
	m := Message{Timestamp: at, FailedAt: at, FirstFailedAt: at, RedrivenAt: at, Deaths: []Death{{At: at}, {}}}
	text, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	const utc = "2027-01-15T08:00:00Z"
	for _, name := range []string{"timestamp", "failed_at", "first_failed_at", "redriven_at"} {
		if got[name] != utc {
			t.Errorf("%s is %v", name, got[name])
		}
	}
	deaths, _ := got["deaths"].([]any)
	first, _ := deaths[0].(map[string]any)
	second, _ := deaths[1].(map[string]any)
	if _, there := second["at"]; first["at"] != utc || there {
		t.Errorf("the deaths are %v", deaths)
	}
	if text, err := json.Marshal(Message{Timestamp: time.Unix(math.MinInt64, 0), FailedAt: milliseconds, FirstFailedAt: milliseconds, RedrivenAt: milliseconds}); err != nil || !strings.Contains(string(text), `"timestamp":-9223372036854775808`) {
		t.Errorf("%s, %v", text, err)
	}
}

// What nobody can believe is of no age: neither the newest of all messages nor the oldest.
func TestAMessageWithAnAbsurdTimestampHasNoAge(t *testing.T) {
	for _, at := range []time.Time{milliseconds, time.Unix(math.MinInt64, 0), time.Unix(math.MaxInt64, 0)} {
		m := ordersQueue().read(deliveryOf(amqp.Publishing{Timestamp: at}), 1)
		for _, term := range []string{"newer=1h", "older=1h"} {
			chosen, err := terms(t, term).at(now)
			if err != nil {
				t.Fatal(err)
			}
			if subject := m.subject(); chosen.Matches(&subject) {
				t.Errorf("%s chooses a message of %d", term, at.Unix())
			}
		}
		g := grouping{most: 1, key: keys[ByGroup], groups: map[string]*Group{}}
		g.add(m)
		if got := g.report().Groups[0]; !got.First.IsZero() || !got.Last.IsZero() {
			t.Errorf("its group is from %v to %v", got.First, got.Last)
		}
	}
	m := ordersQueue().read(deliveryOf(amqp.Publishing{Headers: amqp.Table{"when": milliseconds}}), 1)
	chosen, err := terms(t, "header.when=1800000000000").at(now)
	if err != nil {
		t.Fatal(err)
	}
	if subject := m.subject(); !chosen.Matches(&subject) {
		t.Error("a header is not found by the number that is shown")
	}
}

// What is copied has the timestamp that was published, and no header with a time that is none.
func TestACopyKeepsAnAbsurdTimestampAsItIs(t *testing.T) {
	table := amqp.Table{"queue": "orders", "reason": "expired", "time": milliseconds}
	d := deliveryOf(amqp.Publishing{MessageId: "m", Timestamp: milliseconds, Headers: amqp.Table{"x-death": []any{table}, "when": milliseconds}})
	h := &held{Delivery: *d, message: ordersQueue().read(d, 1)}
	for name, env := range map[string]envelope{"redriven": afresh(h, "orders", taker{"", wire.MaxProperties}, stamp{id: "r", at: now}), "archived": asItIs(h, "orders-archive", taker{"", wire.MaxProperties})} {
		if !env.Timestamp.Equal(milliseconds) || !reflect.DeepEqual(env.Headers["when"], milliseconds) {
			t.Errorf("%s: %v, %v", name, env.Timestamp, env.Headers["when"])
		}
		for _, header := range []string{wire.FailedAt, wire.FirstFailedAt} {
			if v, there := env.Headers[header]; there {
				t.Errorf("%s: %s is %v", name, header, v)
			}
		}
	}
	if got := watchFor(math.MaxInt64); got != maxWatch {
		t.Errorf("what took centuries to fail is watched for %s", got)
	}
}
