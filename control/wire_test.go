package control_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/bunnicula-go/bunnicula/control"
	"github.com/bunnicula-go/bunnicula/internal/test/wirefixtures"
)

// TestWireOfEvents in internal/test/wirefixtures makes the files.
func TestWireEventsAreRead(t *testing.T) {
	wirefixtures.EachEvent(t, func(t *testing.T, name string, m wirefixtures.Message) {
		body := []byte(*m.Body)
		known := json.NewDecoder(bytes.NewReader(body))
		known.DisallowUnknownFields()
		var e control.Event
		if err := known.Decode(&e); err != nil {
			t.Fatal(err)
		}
		if e.Version != control.EventVersion || string(e.What) != name || m.Properties.Type != name || m.RoutingKey != control.EventKey(e.Queue, e.What) {
			t.Errorf("it has version %d, type %q, key %q: %+v", e.Version, m.Properties.Type, m.RoutingKey, e)
		}
		if again, err := json.Marshal(e); err != nil || !bytes.Equal(again, body) {
			t.Errorf("it would be written as\n%s, %v\nit is\n%s", again, err, body)
		}
	})
}
