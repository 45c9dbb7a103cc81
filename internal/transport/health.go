package transport

import (
	"encoding/json"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/foreign"
)

// LinkHealth is the state of one TCP connection.
type LinkHealth struct {
	Used      bool      // a Session was asked for
	Connected bool      // it is up
	Since     time.Time // when Connected changed last
	Addr      string    // host:port, while it is up
	Blocked   string    // the broker's reason for taking no messages; "" is not blocked
	Lost      int       // how often the connection was lost
	Err       error     // why the connection is down
	Renewal   error     // why its secret is not renewed, while it is up; see connection.Credentials
}

// OK says whether the connection is up and not blocked, or not used at all.
func (h LinkHealth) OK() bool { return !h.Used || h.Connected && h.Blocked == "" }

// MarshalJSON writes Err and Renewal as text of at most 2 KiB each, for a health endpoint.
func (h LinkHealth) MarshalJSON() ([]byte, error) {
	type plain LinkHealth
	return json.Marshal(struct {
		plain
		Err     string `json:",omitempty"`
		Renewal string `json:",omitempty"`
	}{plain(h), foreign.Text(h.Err, 2<<10), foreign.Text(h.Renewal, 2<<10)})
}
