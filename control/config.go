package control

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"github.com/bunnicula-go/bunnicula/connection"
)

// EventsExchange is the topic exchange of events, unless EventsConfig.Exchange names another.
const EventsExchange = "bunnicula.events"

// EventsConfig says which events are published, and where. The zero EventsConfig suits most apps.
type EventsConfig struct {
	// Connection declares the exchange, and gives events the names of the app and its version.
	// EventsModule sets it to the app's Connection if it is nil.
	//
	// Without one nothing is declared, and whether the exchange is there shows only when the broker
	// refuses an event: it then closes a channel of the Publisher.
	Connection *connection.Connection

	// Exchange is the name of the topic exchange. It is durable.
	//
	// Defaults to EventsExchange.
	Exchange string

	// What is which events are published.
	//
	// Defaults to Retried, Parked and Redriven.
	What []What

	// Buffer is how many events wait at most to be published. More are dropped. An event takes 1 to
	// 4 KiB of memory.
	//
	// Defaults to 1024.
	Buffer int

	// Logger writes that events are dropped, and that the exchange is missing.
	//
	// Defaults to slog.Default, and in an fx app to the app's *slog.Logger.
	Logger *slog.Logger
}

const (
	defaultBuffer = 1024
	maxBuffer     = 1 << 20
)

// resolve checks the fields and sets the defaults. The error has a line for each field that is
// wrong.
func (c EventsConfig) resolve() (EventsConfig, error) {
	c.Exchange = cmp.Or(c.Exchange, EventsExchange)
	c.Buffer = cmp.Or(c.Buffer, defaultBuffer)
	if c.What == nil {
		c.What = []What{Retried, Parked, Redriven}
	}
	var errs []error
	if len(c.Exchange) > maxName {
		errs = append(errs, fmt.Errorf("control: EventsConfig.Exchange is %d bytes long, AMQP allows %d", len(c.Exchange), maxName))
	}
	if c.Buffer < 1 || c.Buffer > maxBuffer {
		errs = append(errs, fmt.Errorf("control: EventsConfig.Buffer is %d, want 1 to %d events, or 0 for %d", c.Buffer, maxBuffer, defaultBuffer))
	}
	if len(c.What) == 0 {
		errs = append(errs, fmt.Errorf("control: EventsConfig.What is empty, want some of %q, or nil for the default", Whats))
	}
	for i, w := range c.What {
		switch {
		case !slices.Contains(Whats, w):
			errs = append(errs, fmt.Errorf("control: EventsConfig.What has %q, want some of %q", w, Whats))
		case slices.Contains(c.What[:i], w):
			errs = append(errs, fmt.Errorf("control: EventsConfig.What has %q twice", w))
		}
	}
	c.What = slices.Clone(c.What)
	return c, errors.Join(errs...)
}
