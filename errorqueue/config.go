package errorqueue

import (
	"cmp"
	"fmt"
	"maps"
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

	// MaxDeliveries is how often a message may have been delivered. In a quorum queue each reading
	// counts as a delivery of every message that it passes, and the queue drops a message above its
	// delivery limit. A call that meets a message with this count ends with ErrDeliveryLimit.
	//
	// Defaults to 500,000 if the queue has the limit of 1,000,000 that topology declares. For a
	// queue with a lower limit it is half of that limit, and at most 10, because RabbitMQ 4's
	// default limit is 20. A limit that a policy sets is not seen. Before RabbitMQ 4.3 a call that
	// ends with ErrDeliveryLimit counts as a delivery of the first message too, so repeating it
	// again and again loses that message. From 4.3 on a dead letter keeps its count from the queue
	// before, which may be above this. The call then publishes that message to the same queue
	// again, where its count begins anew, and acks it; the next call reads it.
	MaxDeliveries int

	// Wait is how long a call waits while another reader holds the queue's messages.
	//
	// Defaults to 5 s. NoWait means not at all.
	Wait time.Duration

	// Arguments are the arguments with which the error queue was declared. They are needed to find
	// out its delivery limit.
	//
	// Defaults to those with which topology declares an error queue.
	Arguments map[string]any

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
			cfg.ErrorQueue, cfg.Arguments = q.Name, maps.Clone(q.Arguments)
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
	case c.MaxDeliveries < 0:
		return &FieldError{"MaxDeliveries", fmt.Sprint(c.MaxDeliveries), "above 0"}
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
