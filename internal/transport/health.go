package transport

import (
	"encoding/json"
	"time"
)

// LinkHealth is the state of one TCP connection.
type LinkHealth struct {
	Used      bool      // something has asked for it
	Connected bool      // it is up
	Since     time.Time // the last change between up and down
	Addr      string    // host:port, while it is up
	Blocked   string    // the broker's reason for taking no messages; "" is not blocked
	Lost      int       // how often it was lost
	Err       error     // why it is not up
}

// OK says that it is connected and not blocked, if it is in use.
func (h LinkHealth) OK() bool { return !h.Used || h.Connected && h.Blocked == "" }

// MarshalJSON writes Err as text, for a health endpoint.
func (h LinkHealth) MarshalJSON() ([]byte, error) {
	type plain LinkHealth
	return json.Marshal(struct {
		plain
		Err string `json:",omitempty"`
	}{plain(h), errorText(h.Err)})
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
