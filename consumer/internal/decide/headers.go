package decide

import (
	"slices"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/foreign"
	"github.com/bunnicula-go/bunnicula/internal/route"
	"github.com/bunnicula-go/bunnicula/internal/wire"
	"github.com/bunnicula-go/bunnicula/monitoring"
)

// Limits of our headers on a copy, in bytes.
const (
	maxError     = 2 << 10
	maxErrorType = 200
	maxStack     = 8 << 10
)

// onlyParked are the headers that tell an operator where and how a message failed for the last
// time. A copy that waits does not carry them, because each header is written, stored and read at
// each attempt. Its history says the same.
var onlyParked = []string{
	wire.Reason, wire.Error, wire.Stack,
	wire.FailedAt, wire.ErrorGroup, wire.Consumer, wire.App, wire.AppVersion, wire.Host, wire.ErrorType,
}

// headers returns the headers that the framework writes on a copy.
func (r *Rules) headers(f *Facts, p plan, now time.Time) amqp.Table {
	h := f.carried()
	h[wire.RetryAttempts] = int64(p.attempts)
	h[wire.Queue] = r.Queue
	if f.MessageIDGiven {
		h[wire.MessageIDGiven] = true
	}
	r.originals(h, f, p.to)
	if !p.notBefore.IsZero() {
		h[wire.NotBefore] = wire.Stamp(p.notBefore)
	}
	if p.crashes > 0 {
		h[wire.Crashes] = int64(p.crashes)
	}
	if !p.crashedAt.IsZero() {
		h[wire.CrashedAt] = wire.Stamp(p.crashedAt)
	}
	if p.outcome.Reason != monitoring.ReasonNone {
		r.failure(h, f, p.outcome, now)
	}
	return h
}

// carried returns our headers of a message that its copy has too.
func (f *Facts) carried() amqp.Table {
	h := amqp.Table{}
	if !f.Own {
		return h
	}
	for k, v := range f.Raw.Headers {
		if wire.Kept(k, v) && !slices.Contains(onlyParked, k) {
			h[k] = v
		}
	}
	return h
}

// originals adds the headers that say how the message was first published. They are set once. A
// copy that comes back just as the message came says it by itself.
func (r *Rules) originals(h amqp.Table, f *Facts, to route.Destination) {
	if !to.ReturnsDirectly() || f.Raw.Exchange != "" {
		once(h, wire.OriginalExchange, f.Raw.Exchange)
	}
	if !to.ReturnsDirectly() || f.Raw.RoutingKey != r.Queue {
		once(h, wire.OriginalRoutingKey, f.Raw.RoutingKey)
	}
	if f.Raw.Expiration != "" {
		once(h, wire.OriginalExpiration, f.Raw.Expiration)
	}
	if f.Raw.UserId != "" {
		once(h, wire.OriginalUserID, f.Raw.UserId)
	}
}

// failure adds the headers that say why the message is retried or parked. Of a message that waits
// its history says all.
func (r *Rules) failure(h amqp.Table, f *Facts, o monitoring.Outcome, now time.Time) {
	at := now.UTC().Format(time.RFC3339)
	all := historyOf(h[wire.History])
	if o.Action == monitoring.Parked || len(all) >= maxHistory { // the first entry is about to go
		once(h, wire.FirstFailedAt, all.began(at))
	}
	h[wire.History] = all.with(past{
		At: at, Attempt: f.Attempt, Reason: string(o.Reason), Error: foreign.Text(o.Err, maxPast),
		Host: r.Host, Milliseconds: o.Duration.Milliseconds(),
	})
	if o.Action != monitoring.Parked {
		return
	}
	h[wire.Reason] = string(o.Reason)
	put(h, wire.Error, foreign.Text(o.Err, maxError))
	put(h, wire.Stack, foreign.Cut(o.Stack, maxStack))
	h[wire.FailedAt] = at
	h[wire.ErrorGroup] = o.Group
	h[wire.Consumer] = foreign.Cut(r.Consumer, wire.MaxName)
	h[wire.App] = foreign.Cut(r.App, wire.MaxName)
	h[wire.Host] = r.Host
	put(h, wire.ErrorType, foreign.Cut(foreign.TypeName(o.Err), maxErrorType))
	put(h, wire.AppVersion, foreign.Cut(r.Version, wire.MaxName))
}

// once adds a header unless it is there.
func once(h amqp.Table, name, value string) {
	if _, there := h[name]; !there {
		h[name] = value
	}
}

// put sets a header, or removes it if value is empty.
func put(h amqp.Table, name, value string) {
	delete(h, name)
	if value != "" {
		h[name] = value
	}
}
