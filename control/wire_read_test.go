package control

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/bunnicula-go/bunnicula/internal/test/wirefixtures"
)

// TestWireOfOrders makes the files.
func TestWireOrdersAreRead(t *testing.T) {
	wirefixtures.EachOrder(t, func(t *testing.T, name string, m wirefixtures.Message) {
		body := []byte(*m.Body)
		known := json.NewDecoder(bytes.NewReader(body))
		known.DisallowUnknownFields()
		if name == "answer" {
			var a answer
			if err := known.Decode(&a); err != nil || a.Version != ControlVersion || a.To != m.Properties.CorrelationID || len(a.Process.Consumers) != 1 {
				t.Errorf("%+v, %v", a, err)
			}
			return
		}
		var strict record
		if err := known.Decode(&strict); err != nil {
			t.Fatal(err)
		}
		r, err := parseRecord(body)
		if err != nil || r.ID != m.Properties.MessageID || string(r.Kind) != m.Properties.Type || r.Again != (name == "limit-again") {
			t.Errorf("%+v, %v", r, err)
		}
		if again := r.body(); !bytes.Equal(again, body) {
			t.Errorf("it would be written as\n%s\nit is\n%s", again, body)
		}
	})
}

func TestARecordThatCannotBeMeantIsRefused(t *testing.T) {
	for _, body := range []string{
		"", "null", "[]", `{"version":2,"id":"a","kind":"pause","consumers":["x"],"seq":1}`, `{"version":1,"id":"a","kind":"stop","consumers":["x"],"seq":1}`,
		`{"version":1,"id":"","kind":"pause","consumers":["x"],"seq":1}`, `{"version":1,"id":"a","kind":"pause","seq":1}`,
		`{"version":1,"id":"a","kind":"pause","consumers":[""],"seq":1}`, `{"version":1,"id":"a","kind":"pause","consumers":["x"]}`,
		`{"version":1,"id":"a","kind":"pause","consumers":["x"],"seq":9007199254740993}`, `{"version":1,"id":"a","kind":"limit","consumers":["x"],"seq":1}`,
	} {
		if r, err := parseRecord([]byte(body)); err == nil {
			t.Errorf("%s is read as %+v", body, r)
		}
	}
}
