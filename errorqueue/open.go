package errorqueue

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"strconv"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/topology"
)

// Config says which error queue, and how to read it. Queue or ErrorQueue must be set.
type Config struct {
	// Queue is the consumer's main queue. Messages that do not say where they came from are redriven there.
	//
	// Defaults to ErrorQueue without its "-error"; without that there is none.
	Queue string

	// ErrorQueue is the queue in which messages are parked.
	//
	// Defaults to Queue + "-error".
	ErrorQueue string

	// Window is how many messages are held in memory at once. Fewer are, down to one, where they are so large that together they
	// would take more than 16 MiB.
	//
	// Defaults to 250. From 1 to 2000.
	Window int

	// HoldFor is how long a pass may hold what it has read. The broker takes everything back from a channel
	// that holds a message for longer than its consumer_timeout, 30 minutes unless configured otherwise. A List that takes longer
	// ends; a redrive gives everything back and begins another round.
	//
	// Defaults to 20 minutes.
	HoldFor time.Duration

	// MaxDeliveries is how often messages may have been delivered. Each reading of a quorum queue counts once for each message that it
	// passes, and a queue drops what is above its limit. A pass that meets a message with this count ends with
	// ErrDeliveryLimit, and before it could count as one more.
	//
	// Defaults to 500,000 for a queue that has the limit of 1,000,000 which topology declares, and to 10 for others: RabbitMQ 4's own
	// limit is 20. A policy with a lower limit is not seen.
	MaxDeliveries int

	// Wait is how long a call waits while somebody else reads the queue, who holds its messages.
	//
	// Defaults to 5 s. NoWait means not at all.
	Wait time.Duration

	// Arguments are those that the error queue was declared with, by which its delivery limit is known.
	//
	// Default to those that topology declares.
	Arguments map[string]any
}

// NoWait is for Config.Wait.
const NoWait time.Duration = -1

// Defaults of Config.
const (
	DefaultWindow  = 250
	DefaultHoldFor = 20 * time.Minute
	DefaultWait    = 5 * time.Second
)

const (
	maxWindow       = 2000
	strangerLimit   = 10      // of deliveries, where nothing is known of the queue
	familiarLimit   = 500_000 // where the limit is the million of topology
	suffix          = "-error"
	archiveSuffix   = "-archive"
	maxHeldInMemory = 16 << 20 // bytes of bodies
)

// Of is the Config for the error queue of a topology, such as a consumer's: Of(c.Topology()).
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

// Named is the Config for what a person calls an error queue: by its name, "orders-error"; by that of the main queue, "orders"; or by that of the
// archive, "orders-archive", which is read like one. Other names take a Config of one's own.
func Named(name string) Config {
	if main, ok := strings.CutSuffix(name, archiveSuffix); ok && main != "" {
		return Config{Queue: main, ErrorQueue: name}
	}
	if strings.HasSuffix(name, suffix) {
		return Config{ErrorQueue: name}
	}
	return Config{Queue: name}
}

// Queue is an open error queue. It is safe for use by many goroutines at once, and they take turns: who reads
// holds what is in the queue until the end of the call.
type Queue struct {
	name string
	main string
	cfg  Config
	conn *connection.Connection
	link *connection.Link // of its own: on it also comes what the client could not read
	log  *slog.Logger
	turn chan struct{} // holds a token while nobody reads
	safe bool          // its delivery limit is known to be far away
}

// Open connects and looks at the queue. It returns ErrNoQueue if there is none, and the connection's errors. The queue has a TCP
// connection of its own, which Close ends. A nil logger means slog.Default().
func Open(ctx context.Context, conn *connection.Connection, cfg Config, log *slog.Logger) (*Queue, error) {
	cfg, err := cfg.resolve()
	if err != nil {
		return nil, fmt.Errorf("errorqueue: %w", err)
	}
	if conn == nil {
		return nil, errors.New("errorqueue: the connection is nil")
	}
	if log == nil {
		log = slog.Default()
	}
	q := newQueue(cfg)
	q.conn, q.log = conn, log.With("queue", cfg.ErrorQueue)
	q.link = conn.Legible("errors " + cfg.ErrorQueue)
	if err := q.look(ctx); err != nil {
		q.Close(context.WithoutCancel(ctx))
		return nil, q.failed(err)
	}
	return q, nil
}

func newQueue(cfg Config) *Queue {
	q := &Queue{name: cfg.ErrorQueue, main: cfg.Queue, cfg: cfg, turn: make(chan struct{}, 1)}
	q.turn <- struct{}{}
	return q
}

// resolve checks the Config and fills in what is not set.
func (c Config) resolve() (Config, error) {
	if c.Queue == "" && c.ErrorQueue == "" {
		return c, &FieldError{"Queue", "", "the main queue's name, or set ErrorQueue"}
	}
	if c.ErrorQueue == "" {
		c.ErrorQueue = topology.ErrorQueue(c.Queue)
	}
	if c.Queue == "" {
		if main, ok := strings.CutSuffix(c.ErrorQueue, suffix); ok {
			c.Queue = main
		}
	}
	if c.Queue == c.ErrorQueue {
		return c, &FieldError{"ErrorQueue", c.ErrorQueue, "another queue than Queue"}
	}
	for field, name := range map[string]string{"Queue": c.Queue, "ErrorQueue": c.ErrorQueue} {
		if len(name) > 255 {
			return c, &FieldError{field, name[:40] + "...", "at most 255 bytes"}
		}
	}
	c.Window = cmp.Or(c.Window, DefaultWindow)
	if c.Window < 1 || c.Window > maxWindow {
		return c, &FieldError{"Window", fmt.Sprint(c.Window), fmt.Sprintf("1 to %d", maxWindow)}
	}
	c.HoldFor = cmp.Or(c.HoldFor, DefaultHoldFor)
	if c.HoldFor < 0 {
		return c, &FieldError{"HoldFor", c.HoldFor.String(), "above 0"}
	}
	if c.MaxDeliveries < 0 {
		return c, &FieldError{"MaxDeliveries", fmt.Sprint(c.MaxDeliveries), "above 0"}
	}
	switch c.Wait {
	case 0:
		c.Wait = DefaultWait
	case NoWait:
		c.Wait = 0
	}
	if c.Wait < 0 {
		return c, &FieldError{"Wait", c.Wait.String(), "0 or above, or NoWait"}
	}
	return c, nil
}

// Name is the error queue's.
func (q *Queue) Name() string { return q.name }

// Main is the name of the main queue, "" if it is not known.
func (q *Queue) Main() string { return q.main }

// Close ends the queue's TCP connection. What a call still holds goes back to the queue.
func (q *Queue) Close(ctx context.Context) { q.link.Close(ctx) }

// look says whether the queue is there, and finds out about its delivery limit.
func (q *Queue) look(ctx context.Context) error {
	session, err := q.link.Session(ctx)
	if err != nil {
		return err
	}
	if _, err := count(ctx, session, q.name); err != nil {
		if errors.Is(err, errNotFound) {
			return ErrNoQueue
		}
		if !errors.Is(err, errNotAllowed) {
			return err
		}
	}
	q.safe = q.limitIsFarAway(ctx, session)
	return nil
}

// limitIsFarAway declares the queue once more as topology does. The broker says yes if it was declared so,
// and no, without harm, if it was not or we may not ask. How many replicas it began with does not matter.
func (q *Queue) limitIsFarAway(ctx context.Context, session *connection.Session) bool {
	arguments := maps.Clone(q.cfg.Arguments)
	if len(arguments) == 0 {
		arguments = standardArguments(q.name)
	}
	if limit, _ := arguments["x-delivery-limit"].(int64); limit < 2*familiarLimit {
		return false
	}
	const replicas = "x-quorum-initial-group-size"
	for range 2 {
		again := topology.Topology{Queues: []topology.Queue{{Name: q.name, Role: topology.RoleError, Arguments: arguments}}}
		err := ask(ctx, session, "declare a queue", func(ch *amqp.Channel) error { return again.Declare(ch) })
		var other *topology.MismatchError
		if !errors.As(err, &other) || other.Argument != replicas {
			return err == nil
		}
		n, err := strconv.ParseInt(other.Existing, 10, 64)
		if err != nil {
			return false
		}
		arguments[replicas] = n
	}
	return false
}

// standardArguments are those that topology declares an error queue with; nil for a name that cannot be one.
func standardArguments(queue string) map[string]any {
	plan, err := topology.New(topology.Plan{Queue: "a", ErrorQueue: queue})
	if err != nil {
		return nil
	}
	for _, q := range plan.Queues {
		if q.Role == topology.RoleError {
			return q.Arguments
		}
	}
	return nil
}

// maxDeliveries is the count at which a pass ends.
func (q *Queue) maxDeliveries() int {
	switch {
	case q.cfg.MaxDeliveries > 0:
		return q.cfg.MaxDeliveries
	case q.safe:
		return familiarLimit
	}
	return strangerLimit
}

// Status is what can be known of an error queue without reading it.
type Status struct {
	Queue    string `json:"queue"` // the error queue
	Main     string `json:"main,omitempty"`
	Messages int    `json:"messages"` // those that nobody holds at the moment; -1 if we may not ask

	// Quarantine is how many messages wait in the main queue's quarantine queue, which is the consumer's working place and is never
	// touched here; -1 if there is none, or we may not ask.
	Quarantine int `json:"quarantine"`

	// MaxDeliveries is the limit that readings keep to: see Config.MaxDeliveries.
	MaxDeliveries int `json:"max_deliveries"`
}

// Status asks the broker.
func (q *Queue) Status(ctx context.Context) (Status, error) {
	s := Status{Queue: q.name, Main: q.main, Messages: -1, Quarantine: -1, MaxDeliveries: q.maxDeliveries()}
	session, err := q.link.Session(ctx)
	if err != nil {
		return s, q.failed(err)
	}
	switch s.Messages, err = count(ctx, session, q.name); {
	case errors.Is(err, errNotFound):
		return s, q.failed(ErrNoQueue)
	case err != nil && !errors.Is(err, errNotAllowed):
		return s, q.failed(err)
	}
	if q.main != "" {
		if s.Quarantine, err = count(ctx, session, topology.QuarantineQueue(q.main)); err != nil {
			s.Quarantine = -1
		}
	}
	return s, nil
}

func (q *Queue) failed(err error) error { return fmt.Errorf("errorqueue: queue %q: %w", q.name, err) }
