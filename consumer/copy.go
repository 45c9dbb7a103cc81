package consumer

import (
	"maps"
	"os"
	"slices"
	"strconv"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/sending"
	"github.com/bunnicula-go/bunnicula/internal/wire"
	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/topology"
)

// Limits of what a copy carries of ours, in bytes.
const (
	maxError     = 2 << 10
	maxErrorType = 200
	maxStack     = 8 << 10
	maxHistory   = 10 // entries
	maxPast      = 200
	maxOurs      = wire.MaxOurs
	maxHeaders   = wire.MaxCopied
)

// roomAt is what to leave free for headers that the broker adds, in bytes: on each way out of a queue it
// counts deliveries, and on the way out of a retry queue it tells of the dead-lettering, with names of up to 255
// bytes. A message that grows beyond a frame by that can never be read again.
func roomAt(to topology.Destination) int {
	if to.Delay > 0 {
		return 3 << 10
	}
	return wire.RoomToCome
}

var hostname = func() string {
	name, err := os.Hostname()
	if err != nil {
		return "unknown"
	}
	return wire.Cut(name, wire.MaxName)
}()

// copyOf makes the message that is published in place of d: its body, its properties and
// its user's headers as they were, and ours about what happened. What would lose a message or
// close the channel when it is published again is left out: expiration, CC and BCC, the
// broker's own headers, and a user id that is not the connection's.
func (c *Consumer) copyOf(d *received, s Settlement, now time.Time) *sending.Envelope {
	env := c.bareCopy(d, s)
	env.Complete(now)
	ours := c.oursOf(d, s, now)
	wire.Shrink(ours, min(maxOurs, sending.MaxProperties-roomAt(s.to)-env.PropertiesSize()))
	maps.Copy(ours, env.Headers) // of the two the larger one, mostly
	env.Headers = ours
	return env
}

// bareCopy is d with its user's headers only, and no larger than it was.
func (c *Consumer) bareCopy(d *received, s Settlement) *sending.Envelope {
	user := ""
	if d.session != nil {
		user = d.session.user
	}
	p := wire.Again(&d.raw, user)
	if s.to.Expiration > 0 {
		p.Expiration = strconv.FormatInt(s.to.Expiration.Milliseconds(), 10)
	}
	return &sending.Envelope{Exchange: s.to.Exchange, RoutingKey: s.to.RoutingKey, Publishing: p}
}

// oursOf are the headers that the framework writes on a copy.
func (c *Consumer) oursOf(d *received, s Settlement, now time.Time) amqp.Table {
	h := amqp.Table{}
	if d.own {
		for k, v := range d.raw.Headers {
			if wire.Kept(k, v) && !slices.Contains(onlyParked, k) {
				h[k] = v
			}
		}
	}
	once := func(name, value string) {
		if _, there := h[name]; !there {
			h[name] = value
		}
	}
	h[wire.RetryAttempts] = int64(s.attempts)
	h[wire.Queue] = c.spec.Queue
	once(wire.OriginalExchange, d.raw.Exchange)
	once(wire.OriginalRoutingKey, d.raw.RoutingKey)
	if d.raw.Expiration != "" {
		once(wire.OriginalExpiration, d.raw.Expiration)
	}
	if d.raw.UserId != "" {
		once(wire.OriginalUserID, d.raw.UserId)
	}
	if !s.notBefore.IsZero() {
		up := s.notBefore.Add(time.Millisecond - time.Nanosecond) // Format cuts, and nobody is to wait less
		h[wire.NotBefore] = up.UTC().Format("2006-01-02T15:04:05.000Z07:00")
	}
	if s.Reason == monitoring.ReasonNone {
		return h
	}
	at := now.UTC().Format(time.RFC3339)
	once(wire.FirstFailedAt, at)
	h[wire.Reason] = string(s.Reason)
	text := errorText(s.Err)
	put(h, wire.Error, wire.Cut(text, maxError))
	put(h, wire.Stack, wire.Cut(s.Stack, maxStack))
	h[wire.History] = history(h[wire.History], past{
		At: at, Attempt: d.Attempt, Reason: string(s.Reason), Error: wire.Cut(text, maxPast),
		Host: hostname, Milliseconds: s.Duration.Milliseconds(),
	})
	if s.Action == monitoring.Parked {
		h[wire.FailedAt] = at
		h[wire.ErrorGroup] = s.Group
		h[wire.Consumer] = wire.Cut(c.spec.Name, wire.MaxName)
		h[wire.App] = wire.Cut(c.app, wire.MaxName)
		h[wire.Host] = hostname
		put(h, wire.ErrorType, wire.Cut(errorType(s.Err), maxErrorType))
		put(h, wire.AppVersion, wire.Cut(c.version, wire.MaxName))
	}
	return h
}

// onlyParked are the headers that tell an operator where and how a message failed for the last time. A copy that waits says that in
// its history: what it carries is written, stored and read once for each attempt.
var onlyParked = []string{wire.FailedAt, wire.ErrorGroup, wire.Consumer, wire.App, wire.AppVersion, wire.Host, wire.ErrorType}

// put writes a header that is there only if it says something.
func put(h amqp.Table, name, value string) {
	delete(h, name)
	if value != "" {
		h[name] = value
	}
}
