package link

import (
	"net"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/transport"
)

// Session is a session without a broker. Only Abort ends it.
type Session struct{ *session }

// NewSession makes a Session on this socket.
func NewSession(sock net.Conn, replyTimeout time.Duration) Session {
	return Session{newSession(nil, newSocket(sock), 0, replyTimeout, Target{Addr: "test", Username: "me"})}
}

// Cause is what ended the session's socket.
func (s Session) Cause() error { return s.socket.cause() }

// Soon is the longest pause before an absent broker is tried again.
const Soon = soon

// Stuck writes to the session's socket until the peer takes no more. It returns the error that ends
// the stuck write.
func Stuck(s transport.Session) error {
	for {
		if _, err := s.(*session).socket.Write(make([]byte, 64<<10)); err != nil {
			return err
		}
	}
}
