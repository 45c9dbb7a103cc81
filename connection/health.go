package connection

import "github.com/bunnicula-go/bunnicula/internal/transport"

// Health is the state of a Connection at one moment.
type Health struct {
	Publishing LinkHealth
	Consuming  LinkHealth
}

// LinkHealth is the state of one TCP connection.
//
//	Used      bool      // it was asked for
//	Connected bool      // it is up
//	Since     time.Time // when Connected changed last
//	Addr      string    // host:port, while it is up
//	Blocked   string    // the broker's reason for taking no messages; "" is not blocked
//	Lost      int       // how often it was lost
//	Err       error     // why it is down
//	Renewal   error     // why its secret is not renewed, while it is up; see Config.Credentials
type LinkHealth = transport.LinkHealth

// OK says whether each TCP connection is up and not blocked, or not used at all.
func (h Health) OK() bool { return h.Publishing.OK() && h.Consuming.OK() }

// Health returns the state of both TCP connections.
func (c *Connection) Health() Health {
	return Health{Publishing: c.transport.Publishing().Health(), Consuming: c.transport.Consuming().Health()}
}

// Event reports what happened to one TCP connection.
//
//	Kind    Kind
//	Purpose string // "publish" or "consume", or the purpose of a dedicated connection
//	Reason  string // the broker's, if Blocked
//	Err     error  // why the connection was Lost
type Event = transport.Event

// Kind says what an Event reports. Its String is the name in lower case.
type Kind = transport.Kind

// The kinds of Event.
const (
	Connected = transport.Connected // a session has begun
	Lost      = transport.Lost      // a session has ended, but not by Stop
	Blocked   = transport.Blocked   // the broker takes no messages: a memory or disk alarm
	Unblocked = transport.Unblocked // it takes them again
)

// ErrClosed is returned after Stop.
var ErrClosed = transport.ErrClosed

// RefusedError says that the broker refuses the connection until somebody changes something: a
// wrong user, password or vhost, or a certificate that does not fit.
//
//	Addr string // host:port
//	What string // for people, with a remedy
//	Err  error  // *amqp.Error, or the error of crypto/tls
type RefusedError = transport.RefusedError
