package connection

import "github.com/bunnicula-go/bunnicula/internal/transport"

// Health is the state of a Connection at one moment.
type Health struct {
	Publishing LinkHealth
	Consuming  LinkHealth
}

// LinkHealth is the state of one TCP connection.
//
//	Used      bool      // something has asked for it
//	Connected bool      // it is up
//	Since     time.Time // the last change between up and down
//	Addr      string    // host:port, while it is up
//	Blocked   string    // the broker's reason for taking no messages; "" is not blocked
//	Lost      int       // how often it was lost
//	Err       error     // why it is not up
type LinkHealth = transport.LinkHealth

// OK says that whatever is in use is connected and not blocked.
func (h Health) OK() bool { return h.Publishing.OK() && h.Consuming.OK() }

// Health tells the state of both TCP connections.
func (c *Connection) Health() Health {
	return Health{Publishing: c.transport.Publishing().Health(), Consuming: c.transport.Consuming().Health()}
}

// Event is a notice of what happened to one of the TCP connections.
//
//	Kind    Kind
//	Purpose string // "publish" or "consume", or that of a dedicated connection
//	Reason  string // the broker's, of Blocked
//	Err     error  // why it was Lost
type Event = transport.Event

// Kind is what an Event tells. Its String is the name in lower case.
type Kind = transport.Kind

// The kinds of Event.
const (
	Connected = transport.Connected // a session has begun
	Lost      = transport.Lost      // a session has ended, and not by Stop
	Blocked   = transport.Blocked   // the broker takes no messages: a memory or disk alarm
	Unblocked = transport.Unblocked // it takes them again
)

// ErrClosed is returned after Stop.
var ErrClosed = transport.ErrClosed

// RefusedError says that the broker does not let us in, and will not until somebody
// changes something: a wrong user, password or vhost, or a certificate that does not fit.
//
//	Addr string // host:port
//	What string // for people, with what to do
//	Err  error  // *amqp.Error, or what crypto/tls said
type RefusedError = transport.RefusedError
