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

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/internal/transport"
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
	// Defaults to 500,000 for a queue that has the limit of 1,000,000 which topology declares, to half the limit of one that has less, and to 10 at most: RabbitMQ 4's own
	// limit is 20. A policy with a lower limit is not seen. A pass that ends with ErrDeliveryLimit has counted for the first message too, so who tries
	// on and on will lose it.
	MaxDeliveries int

	// Wait is how long a call waits while somebody else reads the queue, who holds its messages.
	//
	// Defaults to 5 s. NoWait means not at all.
	Wait time.Duration

	// Arguments are those that the error queue was declared with, by which its delivery limit is known.
	//
	// Default to those that topology declares.
	Arguments map[string]any

	guessed bool // by Named, of a name that may also be a consumer's main queue
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
		return Config{Queue: main, ErrorQueue: name, guessed: true}
	}
	if strings.HasSuffix(name, suffix) {
		return Config{ErrorQueue: name, guessed: true}
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
	link transport.Link // of its own: on it also comes what the client could not read
	log  *slog.Logger
	turn chan struct{} // holds a token while nobody reads

	limit int64 // of deliveries, as the queue was declared; 0 is not known
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
	q.link = conn.Transport().Reading("errors " + cfg.ErrorQueue)
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
	if own := topology.ErrorQueue(q.name); q.cfg.guessed { // a live queue must not be taken for one of what is parked
		if _, err := count(ctx, session, own); err == nil {
			return &FieldError{"ErrorQueue", q.name, fmt.Sprintf("the name of an error queue: that may be one, or the main queue of %q", own)}
		}
	}
	q.limit = q.limitOf(ctx, session)
	return nil
}

// compareOnly is an argument with a value that is wrong. A broker compares what exists with what is asked for, and this last, or, of a
// classic queue, not at all; only of what does not exist does it look whether it makes sense, and refuses. So nothing is ever declared
// with it.
const compareOnly = "x-queue-leader-locator"

// limitOf finds out how often the queue may deliver a message: it declares the queue as topology does, but so that it cannot be declared, and
// as the broker tells what differs, with that. It is 0 if that is not to be known: the queue has no limit of its own, or we may not ask.
func (q *Queue) limitOf(ctx context.Context, session transport.Session) int64 {
	arguments := maps.Clone(q.cfg.Arguments)
	if len(arguments) == 0 {
		arguments = standardArguments(q.name)
	}
	if arguments == nil {
		return 0
	}
	arguments[compareOnly] = "compare-only"
	const limit = "x-delivery-limit"
	for range 16 {
		again := topology.Topology{Queues: []topology.Queue{{Name: q.name, Role: topology.RoleError, Arguments: arguments}}}
		err := ask(ctx, session, "compare a queue", func(ch transport.Channel) error { return again.Declare(ch) })
		var other *topology.MismatchError
		if err != nil && !errors.As(err, &other) {
			return 0
		}
		if err == nil || other.Argument == compareOnly {
			n, _ := arguments[limit].(int64)
			return n
		}
		number, wrong := strconv.ParseInt(other.Existing, 10, 64)
		switch {
		case other.Existing == "none":
			delete(arguments, other.Argument)
		case other.Existing == "":
			return 0
		case wrong == nil:
			arguments[other.Argument] = number
		case other.Existing == "true", other.Existing == "false":
			arguments[other.Argument] = other.Existing == "true"
		default:
			arguments[other.Argument] = other.Existing
		}
	}
	return 0
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
	case q.limit >= 2*familiarLimit:
		return familiarLimit
	case q.limit > 0: // half of it is left to those who try again, for each try counts
		return int(min(strangerLimit, q.limit/2))
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
