package consumer

import (
	"time"

	"github.com/bunnicula-go/bunnicula/topology"
)

// Spec is one consumer: a queue, a handler, and how patient to be. Only Queue and Handler
// must be set.
type Spec struct {
	// Queue is the main queue. Its retry and error queues are named after it. At most
	// 255 bytes, theirs included.
	Queue string

	// Name is the consumer's in logs, metrics and errors.
	//
	// Defaults to Queue.
	Name string

	// Handler handles one message. Make it with JSON, Decode, or by hand.
	Handler Handler

	// Use wraps the Handler; the first is the outermost.
	//
	// Defaults to none.
	Use []Middleware

	// MaxRetries is how often a message is tried again before it is parked in the
	// error queue.
	//
	// Defaults to 3. NoRetries means never.
	MaxRetries int

	// Backoff is how long a message waits before each retry: the first delay before the
	// first, and the last before all that follow. Whole milliseconds, up to topology.MaxDelay. Each distinct delay is a
	// queue of its own.
	//
	// Defaults to 60 s.
	Backoff []time.Duration

	// Delays are further delays that RetryAfter and Snooze can choose from.
	//
	// Defaults to none: they choose from Backoff.
	Delays []time.Duration

	// Timeout is how long a handler may take. Then its context is cancelled, and the
	// message is retried. At most 30 days; stay below the broker's own limit for an ack (consumer_timeout, 30 minutes by
	// default), at which it takes back all that the consumer holds, and delivers it again.
	//
	// Defaults to 60 s. NoTimeout means for ever.
	Timeout time.Duration

	// Grace is how long a handler may take to return after its context was cancelled.
	// After that it is stuck: its stack is logged, its slot stays taken until it returns,
	// and WhenStuck says what becomes of the message.
	//
	// Defaults to 5 s.
	Grace time.Duration

	// WhenStuck is what becomes of a message whose handler does not return.
	//
	// Defaults to RetryNow.
	WhenStuck WhenStuck

	// Concurrency is how many handlers run at once.
	//
	// Defaults to 4.
	Concurrency int

	// Prefetch is how many messages are taken from the broker ahead, those that are being handled
	// included. Up to 65535.
	//
	// Defaults to what suits the handlers: 10, or twice the Concurrency if that is more, and 300, or three times
	// the Concurrency, while the handlers would be done with so many within 200 ms and they take less than 8 MiB. A message that is taken ahead waits,
	// though another process may be idle; when handlers become slow, what they do not come to within 5 s
	// is given back. A SingleActive consumer takes the smaller number. Health tells the number at present.
	Prefetch int

	// MaxCrashes is how often a message's process may die over it, or lose its connection, before it is parked as
	// crashed: twice among others, then alone, from the queue's quarantine.
	// Only quorum queues count deliveries; with SingleActive or QueueType Classic
	// the setting has no effect, and a message that kills its process is delivered for ever.
	//
	// Defaults to 10. From 3 to 99: the queue itself gives up at 100.
	MaxCrashes int

	// Connection names the connection.Named that this consumer uses.
	//
	// Defaults to the app's own.
	Connection string

	// QueueType is the type of all its queues.
	//
	// Defaults to topology.Quorum. topology.Classic can lose a message while the broker
	// moves it between queues, and knows no MaxCrashes.
	QueueType topology.QueueType

	// Bindings bind the queue to exchanges, which are declared durable.
	//
	// Defaults to none: publish to the queue by its name.
	Bindings []topology.Bind

	// Arguments are added to those of the main queue. See topology.Plan.
	Arguments map[string]any

	// ErrorQueue renames the error queue.
	//
	// Defaults to Queue + "-error".
	ErrorQueue string

	// GroupSize is how many nodes of a cluster hold a quorum queue.
	//
	// Defaults to the broker's choice, 3 unless configured.
	GroupSize int

	// SingleActive lets only one consumer of the queue work at a time; the others wait
	// to take over. Order is kept as long as nothing is retried, Concurrency is 1 and
	// nothing breaks.
	SingleActive bool

	// Priority prefers this consumer to those with a lower one while it has room, from
	// -128 to 127 (https://www.rabbitmq.com/docs/consumer-priority).
	//
	// Defaults to 0.
	Priority int

	// Declare says how much the consumer declares. See topology.Mode.
	//
	// Defaults to topology.All.
	Declare topology.Mode

	// Scheme is topology.Bunnicula to share a queue with Clojure's Bunnicula.
	//
	// Defaults to topology.Standard.
	Scheme topology.Scheme

	// Redeclare says whether queues that somebody deleted are declared again.
	//
	// Defaults to RedeclareOn.
	Redeclare Redeclare

	// OnFatal is called, once for each time, when the consumer cannot go on until somebody
	// changes something: a queue with other arguments, a permission or password that was taken
	// away. The consumer goes on trying slowly. Ask fx for an fx.Shutdowner to end the app instead.
	//
	// Defaults to nothing but a line in the log.
	OnFatal func(error)
}

// Special values of Spec.
const (
	NoRetries = -1                // of MaxRetries: a failure is parked at once
	NoTimeout = time.Duration(-1) // of Timeout: handlers may run for ever
)

// Defaults of Spec: Bunnicula's, and ours.
const (
	defaultMaxRetries  = 3
	defaultBackoff     = 60 * time.Second
	DefaultTimeout     = 60 * time.Second
	DefaultGrace       = 5 * time.Second
	DefaultConcurrency = 4
	DefaultPrefetch    = 10
	defaultMaxCrashes  = 10
)

// WhenStuck is what becomes of a message whose handler does not return after its
// timeout and grace.
type WhenStuck int

const (
	// RetryNow settles it as a timeout. Its next attempt may run beside the old one.
	RetryNow WhenStuck = iota
	// Hold settles it when the handler returns, or leaves it to the broker when the
	// process ends: the two never run side by side.
	Hold
)

// Redeclare is whether deleted queues are declared again.
type Redeclare int

const (
	// RedeclareOn declares them again at each new session.
	RedeclareOn Redeclare = iota
	// RedeclareOff leaves them deleted. The consumer is not ready until somebody declares
	// them.
	RedeclareOff
)

// Middleware wraps a Handler: to log, to trace, to open a transaction. Retrying and
// parking are results, not middleware.
type Middleware func(Handler) Handler
