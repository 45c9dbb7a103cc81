package consumer

import (
	"time"

	"github.com/bunnicula-go/bunnicula/topology"
)

// Spec says what one consumer does: which queue it consumes, with which handler, and how it
// retries. Only Queue and Handler must be set. New returns an error that names a field whose value
// is out of range.
type Spec struct {
	// Queue is the name of the main queue. The names of its retry, quarantine and error queues
	// begin with it. No name may be longer than 255 bytes, so Queue has to be somewhat shorter.
	Queue string

	// Name is the consumer's name in logs, metrics and errors.
	//
	// Defaults to Queue.
	Name string

	// Handler handles one message. JSON and Decode make one of a function that takes decoded
	// messages.
	Handler Handler

	// Use wraps the Handler in middleware. The first is the outermost. None may be nil or return
	// nil. New calls each once; a panic then is an error of New.
	//
	// Defaults to none.
	Use []Middleware

	// MaxRetries is how often a message is retried before it is parked in the error queue. A
	// message has MaxRetries + 1 attempts.
	//
	// Defaults to 3. NoRetries means that a failure is parked at once.
	MaxRetries int

	// Backoff is how long a message waits before each retry: the first delay before the first
	// retry, and so on; the last delay before all further ones. A delay is in whole milliseconds,
	// from 1 ms up to topology.MaxDelay. For each distinct delay there is a retry queue. A delay
	// that ends while the broker starts can take three minutes more: see "Retries come late" in
	// docs/OPERATIONS.md.
	//
	// Defaults to one delay of 60 s.
	Backoff []time.Duration

	// Delays are delays that RetryAfter and Snooze can choose from, beside those of Backoff. Each
	// is in whole milliseconds, from 1 ms up to topology.MaxDelay, and has a retry queue. With
	// topology.Ladder messages wait any time to 250 ms, and can be published with a delay
	// (publisher.Delay, publisher.At).
	//
	// Defaults to none.
	Delays []time.Duration

	// Timeout is how long a handler may take, from 1 ms to 30 days. After that its context is
	// cancelled, and the message is retried unless the handler returns Ack, Snooze, or an Error of
	// its own, within Grace. A handler that snoozes whenever its context has ended does so without
	// end.
	//
	// The broker has a limit for an ack too (consumer_timeout, 30 minutes by default). At that
	// limit it takes back all that the consumer holds, and delivers it again. New logs a warning if
	// the last message of a full prefetch may come near it.
	//
	// Defaults to 60 s. NoTimeout means that a handler may run without end.
	Timeout time.Duration

	// Grace is how long a handler may take to return after Timeout, from 1 ms to 30 days. After
	// that the handler is stuck: its stack is logged, its slot stays taken until it returns, and
	// WhenStuck says what becomes of the message. When all slots are taken the consumer takes no
	// more messages.
	//
	// Defaults to 5 s.
	Grace time.Duration

	// WhenStuck is what becomes of a message whose handler does not return.
	//
	// Defaults to RetryNow.
	WhenStuck WhenStuck

	// Concurrency is how many handlers run at once, from 1 to 65535.
	//
	// Defaults to 4.
	Concurrency int

	// Prefetch is how many messages the consumer takes from the broker at most, those that are
	// being handled included. It must be at least the Concurrency, and at most 65535. A message
	// that is taken ahead waits here even if another process is idle.
	//
	// Defaults to a number that follows the handlers. It is 10, or twice the Concurrency if that is
	// more. It is 300, or three times the Concurrency if that is more, while the handlers would be
	// done with so many within 200 ms and the bodies of so many would take less than 8 MiB. When
	// handlers become slow, messages that they have not begun within 5 s are given back.
	//
	// Large messages may come behind small ones. When the bodies that no handler has begun are more
	// than 32 MiB, the consumer takes the smaller number, and gives back what is above both. So the
	// memory for them is bounded by 32 MiB and twice the smaller number of the largest bodies, and a
	// little that is on its way: 300 bodies of 2 MiB behind 10,000 small messages took 106 MiB at
	// most, and 628 MiB without this bound.
	//
	// A number that is set is always taken, and so is the smaller number of a SingleActive consumer,
	// which would have to give up its place to take another. The bound is then this number of the
	// largest bodies; set a low one where they are large. Health.Prefetch is the number at present.
	Prefetch int

	// MaxCrashes is how often the process may die, or lose its connection, over a message before
	// the message is parked as crashed: twice beside other messages, and then alone, from the
	// queue's quarantine. Sessions that a process lost and survived do not count for it.
	//
	// Only quorum queues count deliveries. With SingleActive, QueueType Classic or
	// topology.Bunnicula the setting has no effect: a message that kills its process is delivered
	// again until the queue's delivery limit, and without end where the queue has none.
	//
	// Defaults to 10. It must be from 3 to 99, and below the main queue's x-delivery-limit, which
	// is 100 unless Arguments say otherwise.
	MaxCrashes int

	// Connection is the name of the connection.Named that this consumer uses in an fx app. New uses
	// the connection that it is given.
	//
	// Defaults to the app's own connection.
	Connection string

	// QueueType is the type of all the consumer's queues.
	//
	// Defaults to topology.Quorum. With topology.Classic the broker can lose a message while it
	// moves the message between queues, a message that the client cannot read is held, and
	// MaxCrashes has no effect.
	QueueType topology.QueueType

	// Bindings bind the main queue to exchanges, which are declared as durable ones. See
	// topology.Bind.
	//
	// Defaults to none: publishers use the queue's name as the routing key.
	Bindings []topology.Bind

	// Arguments are added to those of the main queue. See topology.Plan.
	//
	// Defaults to none.
	Arguments map[string]any

	// ErrorQueue is the name of the error queue.
	//
	// Defaults to Queue + "-error".
	ErrorQueue string

	// GroupSize is how many nodes of a cluster hold each quorum queue.
	//
	// Defaults to the broker's choice, which is 3 unless configured.
	GroupSize int

	// SingleActive lets only one consumer of the queue work at a time, while the others wait to
	// take over. Messages stay in order as long as Concurrency is 1, none is retried and nothing
	// breaks. There is no quarantine, and MaxCrashes has no effect.
	//
	// Defaults to false.
	SingleActive bool

	// Priority makes the broker prefer this consumer to those with a lower priority, as long as it
	// has room. It is from -128 to 127 (https://www.rabbitmq.com/docs/consumer-priority).
	//
	// Defaults to 0.
	Priority int

	// Declare says how much of its topology the consumer declares: topology.All, Satellites
	// (everything but the main queue) or Never. See topology.Mode. A queue that exists with other
	// arguments is an error of Start, a *topology.MismatchError; a missing queue that may not be
	// declared is topology.ErrMissing.
	//
	// Defaults to topology.All.
	Declare topology.Mode

	// Scheme says which queues there are. topology.Bunnicula has those of Clojure's Bunnicula, so
	// that consumers of both can share a queue.
	//
	// Defaults to topology.Standard.
	Scheme topology.Scheme

	// Redeclare says whether queues that somebody has deleted are declared again.
	//
	// Defaults to RedeclareOn.
	Redeclare Redeclare

	// OnFatal is called when the consumer cannot go on until somebody changes something, such as a
	// queue with other arguments, a permission that was taken away, or a password that was changed.
	// It is called once for each such trouble, in a goroutine that nobody waits for. The consumer
	// goes on trying, every 10 s or more slowly. To end the app instead, let OnFatal call Shutdown
	// of an fx.Shutdowner.
	//
	// Defaults to nil: there is only a line in the log.
	OnFatal func(error)

	family *family // the partitions that this one belongs to; Partitioned sets it
}

// Special values of Spec.
const (
	NoRetries = -1                // of MaxRetries: a failure is parked at once
	NoTimeout = time.Duration(-1) // of Timeout: a handler may run without end
)

// Defaults of Spec. Most are those of Clojure's Bunnicula.
const (
	defaultMaxRetries  = 3
	defaultBackoff     = 60 * time.Second
	DefaultTimeout     = 60 * time.Second
	DefaultGrace       = 5 * time.Second
	DefaultConcurrency = 4
	DefaultPrefetch    = 10
	defaultMaxCrashes  = 10
)

// WhenStuck says what becomes of a message whose handler does not return after its timeout and
// grace.
type WhenStuck int

const (
	// RetryNow settles the message as a timeout. Its next attempt may run beside the stuck one.
	RetryNow WhenStuck = iota
	// Hold settles the message when the handler returns. If the connection or the process ends
	// before that, the broker delivers the message again. Until then no other attempt of it runs.
	Hold
)

// Redeclare says whether deleted queues are declared again.
type Redeclare int

const (
	// RedeclareOn declares them again before each session, and when a copy finds one missing.
	RedeclareOn Redeclare = iota
	// RedeclareOff declares them only until the consumer has subscribed once. While the main queue
	// is missing the consumer is not ready; while another one is missing, copies for it are
	// blocked.
	RedeclareOff
)

// Middleware wraps a Handler, for example to log, to trace or to open a transaction. To retry and
// to park need no middleware: a Handler returns them as Results.
type Middleware func(Handler) Handler
