package control

import (
	"context"
	"log/slog"
	"time"

	"github.com/bunnicula-go/bunnicula/connection"
)

// ControlStream is the stream of orders, and the exchange that they are published to, unless
// FleetConfig.Stream names another.
const ControlStream = "bunnicula-control"

// FleetConfig says which stream has the orders. The zero FleetConfig suits most.
type FleetConfig struct {
	Stream string        // defaults to ControlStream
	MaxAge time.Duration // of the stream, when it is declared; defaults to 7 days
	Logger *slog.Logger
}

// Fleet gives orders to the consumers of all processes that have [Module] on the same stream.
type Fleet struct{}

// NewFleet makes a Fleet. It does not connect.
func NewFleet(conn *connection.Connection, cfg FleetConfig) (*Fleet, error) { panic("not yet") }

// Order is a standing order to the consumers of one name, in all processes.
type Order struct {
	ID       string // of the command that it came with
	Consumer string // the consumer's name, or the queue of its partitions
	Paused   bool
	Limit    int       // 0 is none
	Until    time.Time // zero: until somebody gives another order
	At       time.Time // when it was given, by the clock of who gave it
	By       string    // who gave it: user, and host
	Why      string
}

// Command is what to order.
type Command struct {
	Consumers []string      // names; a pattern with * is matched with those that processes have
	For       time.Duration // after which it ends by itself; 0 with Forever only
	Forever   bool          // until it is lifted
	Why       string
	By        string        // defaults to user@host of this process
	Anyway    bool          // also to consumers that no process has now
	Wait      time.Duration // for the answers of processes; defaults to 3 s
}

// Process is what one process has answered.
type Process struct {
	ID         string // of this run of the process
	Host       string
	PID        int
	App        string
	AppVersion string
	Started    time.Time
	Consumers  []Member
	Trouble    string // why it may miss orders, "" if nothing
}

// Member is a consumer of a process.
type Member struct {
	Name, Queue, Connection string
	Partitions              string // the queue that its queue is a partition of, or ""
	Concurrency             int
	Limit                   int // how many handlers at once at present
	Paused                  bool
	PausedByApp             bool // by Consumer.Pause
	Ready, Subscribed       bool
	Stuck                   int
	OrderID                 string // the order that it obeys, or ""
	Err                     string
	Running                 []Handler // of Fleet.Running only; the longest first, and 100 at most
	RunningCount            int
}

// Handler is a handler that runs.
type Handler struct {
	MessageID string
	Given     bool // the id; the publisher has set none
	Type      string
	Attempt   int
	Since     time.Time
	Stuck     bool
	Stack     string
}

// Receipt says who has carried a command out.
type Receipt struct {
	Orders []Order   // as they stand now
	Obeyed []Process // with the consumers concerned alone
	Silent int       // processes that read the stream, as far as the broker knows, and have not answered
	Took   time.Duration
}

// Pause pauses consumers everywhere.
func (f *Fleet) Pause(ctx context.Context, c Command) (Receipt, error) { panic("not yet") }

// Limit lets consumers run at most n handlers at once in each process.
func (f *Fleet) Limit(ctx context.Context, n int, c Command) (Receipt, error) { panic("not yet") }

// Resume lifts the orders that stand for consumers, limits too.
func (f *Fleet) Resume(ctx context.Context, c Command) (Receipt, error) { panic("not yet") }

// Orders returns what stands.
func (f *Fleet) Orders(ctx context.Context) ([]Order, error) { panic("not yet") }

// Processes asks all processes what they are, and what runs in them. names chooses consumers, all if
// there are none.
func (f *Fleet) Processes(ctx context.Context, wait time.Duration, names ...string) (all []Process, silent int, err error) {
	panic("not yet")
}

// Stop ends what the Fleet has opened.
func (f *Fleet) Stop(ctx context.Context) error { panic("not yet") }
