package publisher_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/wire"
	"github.com/bunnicula-go/bunnicula/publisher"
)

// FuzzJSONDecode compares the codec with encoding/json, which decides for all bodies but an empty
// one.
func FuzzJSONDecode(f *testing.F) {
	for _, body := range []string{
		"", " \t", "null", "0", "-0", "1e400", `"\ud800"`, "{}", `{"id":7,"name":"x","tags":["a"],"nested":{"deep":[null]}}`, `{"id":"7"}`,
		`{"ID":1,"id":2}`, `{"id":1}{"id":2}`, "\xef\xbb\xbf{}", "\x00", `{"data":"AAA="}`, `{"at":"2026-01-01T00:00:00Z"}`, strings.Repeat("[", 300),
	} {
		f.Add([]byte(body))
	}
	type payload struct {
		ID     int            `json:"id"`
		Name   string         `json:"name"`
		Tags   []string       `json:"tags"`
		Nested map[string]any `json:"nested"`
		Data   []byte         `json:"data"`
		At     *time.Time     `json:"at"`
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		before := bytes.Clone(body)
		var got, want payload
		err, wanted := publisher.JSON.Decode(publisher.Body{Bytes: body}, &got), json.Unmarshal(body, &want)
		if (err == nil) != (wanted == nil) || wanted == nil && !reflect.DeepEqual(got, want) {
			t.Fatalf("%+v, %v; want %+v, %v", got, err, want, wanted)
		}
		if !bytes.Equal(body, before) {
			t.Fatal("the body was changed")
		}
		if err != nil {
			return
		}
		encoded, err := publisher.JSON.Encode(got)
		if err != nil {
			t.Fatalf("what was decoded cannot be encoded: %v", err)
		}
		var again payload
		if err := publisher.JSON.Decode(encoded, &again); err != nil {
			t.Fatalf("what was encoded cannot be decoded: %v", err)
		}
	})
}

// FuzzRaw expects every byte back, in newly allocated memory.
func FuzzRaw(f *testing.F) {
	f.Add([]byte(nil))
	f.Add([]byte("a\xff\x00"))
	f.Fuzz(func(t *testing.T, body []byte) {
		want := string(body)
		var text string
		var raw []byte
		if err := publisher.Raw.Decode(publisher.Body{Bytes: body}, &text); err != nil || text != want {
			t.Fatalf("as a string: %q, %v", text, err)
		}
		if err := publisher.Raw.Decode(publisher.Body{Bytes: body}, &raw); err != nil || string(raw) != want {
			t.Fatalf("as bytes: %q, %v", raw, err)
		}
		for i := range raw {
			raw[i]++
		}
		if string(body) != want {
			t.Fatal("what was decoded shares the body's memory")
		}
		if err := publisher.Raw.Decode(publisher.Body{Bytes: body}, new(int)); err == nil {
			t.Fatal("decoded into an int")
		}
	})
}

// FuzzBuild makes a message of whatever a caller gives. The message is refused, or it is within
// every limit.
func FuzzBuild(f *testing.F) {
	f.Add("q", "", []byte("{}"), "tenant", "acme", int64(time.Second), "id", 3, uint8(0))
	f.Add("orders.created", "events", []byte(nil), "retry-attempts", "\xff", int64(-1), strings.Repeat("x", 256), 0, uint8(255))
	f.Add(strings.Repeat("k", 256), "", bytes.Repeat([]byte("b"), 200), "", "", int64(1500), "", 1<<17, uint8(4))
	f.Fuzz(func(t *testing.T, key, exchange string, body []byte, header, value string, expiration int64, id string, repeat int, priority uint8) {
		const maxBody = 100
		value = strings.Repeat(value, 1+repeat&0x3ff)
		env, err := publisher.Config{MaxBody: maxBody}.Build(key, body,
			publisher.Exchange(exchange), publisher.MessageID(id), publisher.CorrelationID(id), publisher.Type(value), publisher.Priority(priority),
			publisher.Expiration(time.Duration(expiration)), publisher.Header(header, value), publisher.Header("list", []any{value, map[string]any{header: value}}))
		if err != nil {
			if !strings.HasPrefix(err.Error(), "publisher: publish to ") || len(err.Error()) > 1000 {
				t.Fatalf("%d bytes of error: %.2000v", len(err.Error()), err)
			}
			return
		}
		if err := env.Check(); err != nil {
			t.Fatalf("what was built is refused: %v", err)
		}
		if err := env.Headers.Validate(); err != nil {
			t.Fatalf("the client cannot write it: %v", err)
		}
		if env.PropertiesSize() > wire.MaxProperties || len(env.Body) > maxBody || !bytes.Equal(env.Body, body) || env.MessageId == "" {
			t.Fatalf("%d bytes of properties, %d of body, id %q", env.PropertiesSize(), len(env.Body), env.MessageId)
		}
		if _, ours := env.Headers["retry-attempts"]; ours {
			t.Fatal("a header of ours got through")
		}
	})
}
