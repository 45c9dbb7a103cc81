package console

import (
	"errors"
	"net"
	"net/http"
	"strings"
)

// User is who makes a request. The zero User may see nothing.
type User struct {
	Name   string
	Grants []Grant
}

// Grant gives a right to queues.
type Grant struct {
	// Queues is the name of a consumer's main queue or of an error queue. With a * at its end it
	// means all names that begin so; "*" means all queues.
	Queues string
	Right  Right
}

// Right is what a user may do with a queue. Each includes those before it.
type Right int

// The rights.
const (
	See    Right = iota + 1 // counts, and failures by their kind
	Read                    // messages: bodies, headers, ids and stacks; and to export them
	Move                    // to redrive and to archive messages, and to pause consumers
	Change                  // to delete messages
)

// String returns the right's name in lower case.
func (r Right) String() string {
	switch r {
	case See:
		return "see"
	case Read:
		return "read"
	case Move:
		return "move"
	case Change:
		return "change"
	}
	return "nothing"
}

// words says in a sentence what the user may do.
func (u User) words(readOnly bool) string {
	var most Grant
	for _, g := range u.Grants {
		if g.Right > most.Right || g.Right == most.Right && g.Queues == "*" {
			most = g
		}
	}
	where := "."
	if most.Queues != "*" {
		where = ", in some queues."
	}
	switch {
	case most.Right == 0:
		return ""
	case most.Right == See:
		return "You may look, and read no message" + where
	case readOnly:
		return "Reads only."
	case most.Right == Read:
		return "You may read and export messages" + where
	case most.Right == Move:
		return "You may redrive, archive and export messages, and pause consumers" + where
	}
	return "You may redrive, archive, delete and export messages, and pause consumers" + where
}

// may says whether the user has a right to a queue.
func (u User) may(right Right, queue string) bool {
	for _, g := range u.Grants {
		prefix, open := strings.CutSuffix(g.Queues, "*")
		if g.Right >= right && (g.Queues == queue || open && strings.HasPrefix(queue, prefix)) {
			return true
		}
	}
	return false
}

// owner has a right to everything.
func owner(name string, right Right) User {
	return User{Name: name, Grants: []Grant{{Queues: "*", Right: right}}}
}

var errNotLocal = errors.New("the request is not from this machine, and neither Identify nor Login is configured")

// forwarding are the headers by which proxies say that a request is somebody else's.
var forwarding = []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Prefix", "X-Real-Ip"}

// local identifies a request from this machine that no proxy has forwarded.
func local(r *http.Request) (User, error) {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if ip := net.ParseIP(host); err != nil || ip == nil || !ip.IsLoopback() {
		return User{}, errNotLocal
	}
	for _, name := range forwarding {
		if len(r.Header.Values(name)) > 0 {
			return User{}, errNotLocal
		}
	}
	return owner("local", Read), nil
}
