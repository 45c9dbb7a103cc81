package health

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/foreign"
)

// maxError is how many bytes of an error's text a Part has at most.
const maxError = 2 << 10

// Report is the state of an app at one moment.
type Report struct {
	Status Status    `json:"status"`
	Since  time.Time `json:"since"` // when the Status changed last
	Live   bool      `json:"live"`  // the answer of /livez
	Parts  []Part    `json:"parts"`
}

// Part is a connection, a consumer, or what WatchPart has added.
type Part struct {
	Kind string `json:"kind"` // "connection", "consumer", or another of WatchPart's
	Name string `json:"name"`

	// Connection is the Spec.Connection of a consumer, which tells consumers of one name apart.
	Connection string `json:"connection,omitempty"`

	OK      bool       `json:"ok"`
	Since   *time.Time `json:"since,omitempty"`   // when the part became bad
	Error   string     `json:"error,omitempty"`   // why the part is not OK
	Warning string     `json:"warning,omitempty"` // what an operator should know about the part
	Wedged  bool       `json:"wedged,omitempty"`  // see the package documentation

	stopping bool
}

// ready is the answer of /readyz. A consumer that begins to stop is not ready from that moment.
func (r Report) ready() bool {
	return (r.Status == OK || r.Status == Degraded) && !slices.ContainsFunc(r.Parts, func(p Part) bool { return p.stopping })
}

// Err says what is bad. It is nil if nothing is bad.
func (r Report) Err() error {
	var errs []error
	for _, p := range r.Parts {
		if !p.OK {
			errs = append(errs, fmt.Errorf("%s %q: %s", p.Kind, p.Name, p.Error))
		}
	}
	return errors.Join(errs...)
}

// ofConnection returns the state of a connection. A connection that is not used yet is good.
func ofConnection(name string, h connection.Health) Part {
	p := Part{Kind: "connection", Name: name, OK: true}
	var down, warn []string
	for _, l := range []struct {
		purpose string
		health  connection.LinkHealth
	}{{"publishing", h.Publishing}, {"consuming", h.Consuming}} {
		switch {
		case l.health.Used && !l.health.Connected && l.health.Err != nil:
			down = append(down, l.purpose+": "+foreign.Text(l.health.Err, maxError))
		case l.health.Used && !l.health.Connected:
			down = append(down, l.purpose+": not connected yet")
		case l.health.Blocked != "":
			warn = append(warn, fmt.Sprintf("%s: the broker takes no messages (%s)", l.purpose, foreign.Line(l.health.Blocked, maxError)))
		}
		if l.health.Renewal != nil {
			warn = append(warn, l.purpose+": the secret is not renewed: "+foreign.Text(l.health.Renewal, maxError))
		}
	}
	p.OK, p.Error, p.Warning = len(down) == 0, strings.Join(down, "; "), strings.Join(warn, "; ")
	return p
}

// ofConsumer returns the state of a consumer.
func ofConsumer(h consumer.Health) Part {
	p := Part{Kind: "consumer", Name: h.Name, Connection: h.Connection, OK: h.Ready, stopping: h.Stopping}
	var warn []string
	add := func(n int, what string) {
		if n > 0 {
			warn = append(warn, fmt.Sprintf("%d %s", n, what))
		}
	}
	add(h.Stuck, "handlers are stuck")
	add(h.MonitorsBlocked, "calls of a monitor do not return")
	add(h.CopiesBlocked, "copies to a retry or error queue are not taken by the broker")
	if h.Slow {
		warn = append(warn, "a message that came back without an end is handled alone")
	}
	if h.Paused {
		warn = append(warn, "it is paused")
	}
	p.Warning = strings.Join(warn, "; ")
	if p.OK {
		return p
	}
	p.Wedged = h.Err == nil && !h.Stopping && h.Stuck+h.MonitorsBlocked > 0
	switch {
	case h.Stopping:
		p.Error = "it is stopping"
	case h.Err != nil:
		p.Error = foreign.Text(h.Err, maxError)
	case p.Wedged:
		p.Error, p.Warning = "no slot is left: "+p.Warning, ""
	default:
		p.Error = "not subscribed yet"
	}
	return p
}

// ofOther returns the state of a part that WatchPart has added.
func ofOther(kind, name, warning string, err error) Part {
	p := Part{Kind: kind, Name: name, OK: err == nil, Warning: foreign.Line(warning, maxError)}
	if err != nil {
		p.Error = foreign.Text(err, maxError)
	}
	return p
}
