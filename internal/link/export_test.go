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
	return Session{newSession(&member{socket: newSocket(sock)}, replyTimeout, Target{Addr: "test", Username: "me"})}
}

// Cause is what ended the session's socket.
func (s Session) Cause() error { return s.member(0).socket.cause() }

// Soon is the longest pause before an absent broker is tried again.
const Soon = soon

// Stuck writes to the session's socket until the peer takes no more. It returns the error that ends
// the stuck write.
func Stuck(s transport.Session) error {
	for {
		if _, err := s.(*session).member(0).socket.Write(make([]byte, 64<<10)); err != nil {
			return err
		}
	}
}
