package outbox

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"pgregory.net/rapid"

	"github.com/bunnicula-go/bunnicula/internal/sending"
	"github.com/bunnicula-go/bunnicula/internal/test/deliverytest"
	"github.com/bunnicula-go/bunnicula/internal/typed"
	"github.com/bunnicula-go/bunnicula/publisher"
	"github.com/bunnicula-go/bunnicula/publisher/publishertest"
)

func TestPropertiesAreReadBackAsTheyWereWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := deliverytest.Any().Draw(t, "message")
		env := sending.Envelope{NotMandatory: rapid.Bool().Draw(t, "not mandatory"), Publishing: amqp.Publishing{
			Headers: d.Headers, ContentType: d.ContentType, ContentEncoding: d.ContentEncoding, DeliveryMode: d.DeliveryMode,
			Priority: d.Priority, CorrelationId: d.CorrelationId, ReplyTo: d.ReplyTo, Expiration: d.Expiration,
			Timestamp: d.Timestamp, Type: d.Type, UserId: d.UserId, AppId: d.AppId,
		}}
		text, err := writeProperties(&env)
		if err != nil {
			t.Fatal(err)
		}
		got, err := readProperties(text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if !deliverytest.SameHeader(got.Headers, env.Headers) {
			t.Fatalf("headers\n%#v, want\n%#v\n%s", got.Headers, env.Headers, text)
		}
		if !got.Timestamp.Equal(env.Timestamp) {
			t.Fatalf("timestamp %v, want %v", got.Timestamp, env.Timestamp)
		}
		sameAsJSON(t, &env, text)
		got.Headers, env.Headers, got.Timestamp, env.Timestamp = nil, nil, time.Time{}, time.Time{}
		if !reflect.DeepEqual(got, env) {
			t.Fatalf("got\n%+v, want\n%+v\n%s", got, env, text)
		}
	})
}

// sameAsJSON checks that the text is what encoding/json would write, up to its escapes.
func sameAsJSON(t *rapid.T, env *sending.Envelope, text []byte) {
	p := properties{Properties: typed.Of(&env.Publishing), NotMandatory: env.NotMandatory, Headers: typed.Fields(env.Headers)}
	want, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	var a, b any
	if err := json.Unmarshal(text, &a); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	if err := json.Unmarshal(want, &b); err != nil || !reflect.DeepEqual(a, b) {
		t.Fatalf("got\n%s, want\n%s", text, want)
	}
}

type untyped struct{ publisher.Codec }

func (untyped) Encode(payload any) (publisher.Body, error) {
	b, err := publisher.JSON.Encode(payload)
	b.ContentType = ""
	return b, err
}

// What a relay publishes is what a Publish with the same arguments would have sent.
func TestAMessageIsPublishedAsPutHasMadeIt(t *testing.T) {
	then := time.Unix(1_700_000_000, 0)
	for name, opts := range map[string][]publisher.Option{
		"plain":    nil,
		"exchange": {publisher.Exchange("e"), publisher.NotMandatory()},
		"all": {
			publisher.Header("n", int32(7)), publisher.Header("raw", []byte{0xff}), publisher.Header("at", then), publisher.Type("t"),
			publisher.CorrelationID("c"), publisher.ReplyTo("r"), publisher.AppID("a"), publisher.ContentEncoding("gzip"),
			publisher.Priority(3), publisher.Expiration(time.Minute), publisher.Transient(), publisher.Timestamp(then),
		},
		"no content type": {publisher.With(untyped{publisher.JSON})},
	} {
		t.Run(name, func(t *testing.T) {
			opts := append([]publisher.Option{publisher.MessageID("x")}, opts...)
			var direct, relayed publishertest.Recorder
			if err := direct.Publish(t.Context(), "q", "<body>", opts...); err != nil {
				t.Fatal(err)
			}
			box := &Box{dialect: SQLite, cfg: Config{}.defaults()}
			s, err := box.build(t.Context(), "q", "<body>", opts)
			if err != nil {
				t.Fatal(err)
			}
			row := stored{id: s.MessageId, exchange: s.Exchange, routingKey: s.RoutingKey, body: s.Body}
			if row.properties, err = writeProperties(&s.Envelope); err != nil {
				t.Fatal(err)
			}
			env, err := row.message()
			if err != nil {
				t.Fatal(err)
			}
			payload, option := publication(&env)
			if err := relayed.Publish(t.Context(), env.RoutingKey, payload, option); err != nil {
				t.Fatal(err)
			}
			want, got := direct.Messages()[0], relayed.Messages()[0]
			if d := got.Timestamp.Sub(want.Timestamp); d < 0 || d > time.Minute {
				t.Errorf("its timestamp is %s later", d)
			}
			if !bytes.Equal(got.Body, want.Body) {
				t.Errorf("body %q, want %q", got.Body, want.Body)
			}
			want.Payload, got.Payload, want.Timestamp, got.Timestamp = nil, nil, time.Time{}, time.Time{}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("got\n%#v, want\n%#v", got, want)
			}
		})
	}
}

func TestPropertiesThatSomebodyHasBrokenAreAnErrorThatNamesTheMessage(t *testing.T) {
	for text, want := range map[string]string{
		``:                          `outbox: the properties of message "x": EOF`,
		`{"headers":{"a":1.5}}`:     `outbox: the properties of message "x": 1.5 is not an int64; other numbers need their type, as in {"float64": 1.5}`,
		`{"content_type":"","a":1}`: `outbox: the properties of message "x": json: unknown field "a"`,
	} {
		row := stored{id: "x", properties: []byte(text)}
		if _, err := row.message(); err == nil || err.Error() != want {
			t.Errorf("%s: got %v, want %s", text, err, want)
		}
	}
}
