package errorqueue

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/wire"
	"github.com/bunnicula-go/bunnicula/topology"
)

// Config says which error queue is opened, and how it is read. Queue or ErrorQueue must be set.
type Config struct {
	// Queue is the consumer's main queue. A message that does not say where it came from is
	// redriven to it.
	//
	// Defaults to ErrorQueue without the suffix "-error". Without that suffix there is no main
	// queue.
	Queue string

	// ErrorQueue is the queue in which messages are parked.
	//
	// Defaults to Queue + "-error".
	ErrorQueue string

	// Window is how many messages are in memory at once. Large messages reduce it, down to one, so
	// that a window takes about 16 MiB at most.
	//
	// Defaults to 250. From 1 to 2000.
	Window int

	// HoldFor is how long a call may hold the messages that it has read. The broker takes all
	// messages of a channel back if the channel holds one for longer than its consumer_timeout, 30
	// minutes by default. A List that takes longer than HoldFor ends. A redrive gives all messages
	// back and starts another round.
	//
	// Defaults to 20 minutes.
	HoldFor time.Duration

	// DeliveryLimit is how often the queue lets a message be given back: the lower one of its
	// argument x-delivery-limit and a policy's delivery-limit. Before RabbitMQ 4.3 each reading of a
	// quorum queue counts for all messages that it passes, and the queue drops a message above its
	// limit. So a reading replaces messages that are near the limit by copies, which are at the
	// queue's end and whose count begins anew.
	//
	// Defaults to what the management API says, if the Connection has one. Otherwise each reading
	// finds out whether the limit is near: it gives one message back and takes it again. A quorum
	// queue without any limit, which RabbitMQ had before 4.0, puts that message behind the others.
	// The user must be allowed to publish to the queue; if not, a reading ends with
	// ErrDeliveryLimit.
	DeliveryLimit int

	// Wait is how long a call waits while another reader holds the queue's messages.
	//
	// Defaults to 5 s. NoWait means not at all.
	Wait time.Duration

	guessed bool // made by Named: the name may be that of a consumer's main queue
}

// NoWait is a value for Config.Wait.
const NoWait time.Duration = -1

const (
	defaultWindow  = 250
	maxWindow      = 2000
	defaultHoldFor = 20 * time.Minute
	defaultWait    = 5 * time.Second

	errorSuffix   = "-error"
	archiveSuffix = "-archive"
)

// Of returns the Config for the error queue of a topology, such as that of a consumer:
// Of(c.Topology()).
func Of(t topology.Topology) Config {
	var cfg Config
	for _, q := range t.Queues {
		switch q.Role {
		case topology.RoleMain:
			cfg.Queue = q.Name
		case topology.RoleError:
			cfg.ErrorQueue = q.Name
		}
	}
	return cfg
}

// Named returns the Config for a name that a person has given: the error queue "orders-error", the
// main queue "orders", or the archive "orders-archive", which is read like an error queue. A queue
// with another kind of name needs a Config made by hand.
func Named(name string) Config {
	if main, ok := strings.CutSuffix(name, archiveSuffix); ok && main != "" {
		return Config{Queue: main, ErrorQueue: name, guessed: true}
	}
	if strings.HasSuffix(name, errorSuffix) {
		return Config{ErrorQueue: name, guessed: true}
	}
	return Config{Queue: name}
}

// archiveQueue returns the name of the archive of a main queue.
func archiveQueue(queue string) string { return queue + archiveSuffix }

// resolve checks the Config and fills in the defaults.
func (c Config) resolve() (Config, error) {
	if c.Queue == "" && c.ErrorQueue == "" {
		return c, &FieldError{"Queue", "", "the main queue's name, or set ErrorQueue"}
	}
	if c.ErrorQueue == "" {
		c.ErrorQueue = topology.ErrorQueue(c.Queue)
	}
	if c.Queue == "" {
		if main, ok := strings.CutSuffix(c.ErrorQueue, errorSuffix); ok {
			c.Queue = main
		}
	}
	if c.Queue == c.ErrorQueue {
		return c, &FieldError{"ErrorQueue", c.ErrorQueue, "another queue than Queue"}
	}
	if err := checkName("Queue", c.Queue); err != nil {
		return c, err
	}
	if err := checkName("ErrorQueue", c.ErrorQueue); err != nil {
		return c, err
	}
	c.Window = cmp.Or(c.Window, defaultWindow)
	c.HoldFor = cmp.Or(c.HoldFor, defaultHoldFor)
	switch c.Wait {
	case 0:
		c.Wait = defaultWait
	case NoWait:
		c.Wait = 0
	}
	return c, c.checkBounds()
}

func (c Config) checkBounds() error {
	switch {
	case c.Window < 1 || c.Window > maxWindow:
		return &FieldError{"Window", fmt.Sprint(c.Window), fmt.Sprintf("1 to %d", maxWindow)}
	case c.HoldFor < 0:
		return &FieldError{"HoldFor", c.HoldFor.String(), "above 0"}
	case c.DeliveryLimit < 0:
		return &FieldError{"DeliveryLimit", fmt.Sprint(c.DeliveryLimit), "above 0"}
	case c.Wait < 0:
		return &FieldError{"Wait", c.Wait.String(), "0 or above, or NoWait"}
	}
	return nil
}

// checkName refuses a name that AMQP cannot carry.
func checkName(field, name string) error {
	if len(name) > wire.MaxName {
		return &FieldError{field, name[:40] + "...", fmt.Sprintf("at most %d bytes", wire.MaxName)}
	}
	return nil
}
