package connection

import (
	"net"
	"time"
)

// NewSession makes a Session without a broker, on this socket. Abort alone ends it.
func NewSession(sock net.Conn, replyTimeout time.Duration) *Session {
	return newSession(nil, newSocket(sock), replyTimeout, target{addr: "test", username: "me"})
}

// Cause is what ended the session's socket.
func (s *Session) Cause() error { return s.socket.cause() }

// Soon is how long a broker that is not there is waited for at most.
const Soon = soon

// Stuck writes to the session's socket until nothing goes through any more, and returns what
// ends that.
func (s *Session) Stuck() error {
	for {
		if _, err := s.socket.Write(make([]byte, 64<<10)); err != nil {
			return err
		}
	}
}
