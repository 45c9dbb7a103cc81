package control

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/user"
	"slices"
	"strings"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/foreign"
)

// Order is a standing order to the consumers of one name, in all processes.
type Order struct {
	ID       string    `json:"id"`       // of the command that it came with
	Consumer string    `json:"consumer"` // the consumer's name, or the queue of its partitions
	Paused   bool      `json:"paused"`
	Limit    int       `json:"limit,omitempty"` // 0 is none
	Until    time.Time `json:"until,omitzero"`  // zero: until somebody gives another order
	At       time.Time `json:"at"`              // when it was given, by the clock of who gave it
	By       string    `json:"by,omitempty"`    // who gave it: user, and host
	Why      string    `json:"why,omitempty"`
}

// Command is what to order.
type Command struct {
	// Consumers are names of consumers, or of the queues whose partitions they consume. In a name
	// with * that is any text, so "orders*" is each consumer that some process has now and whose
	// name begins so. One that is started later is not among them.
	Consumers []string

	For     time.Duration // after which the order ends by itself; 0 with Forever only
	Forever bool          // until another order lifts it
	Why     string        // at most 500 bytes; for the log of consumers, and for other operators
	By      string        // who gives it; defaults to user@host of this process
	Anyway  bool          // also to consumers that no process has now
	Wait    time.Duration // for the answers to the question and to the order, each; defaults to 3 s
}

// Receipt says who has carried a command out.
type Receipt struct {
	Orders []Order   // as they stand now, of the consumers that were commanded
	Obeyed []Process // with the consumers concerned alone
	Silent int       // processes that have told of such a consumer, and have not said that they obey
	Took   time.Duration
}

// UnknownError says that no process has consumers that a command names.
type UnknownError struct {
	Consumers []string // that nobody has
	There     []string // consumers that processes have, and the queues of partitions
}

func (e *UnknownError) Error() string {
	there := "no process has answered"
	if len(e.There) > 0 {
		there = "there are " + names(e.There)
	}
	return fmt.Sprintf("control: no process has a consumer %s; %s", names(e.Consumers), there)
}

// LimitError says that a consumer cannot have so many handlers at once.
type LimitError struct {
	Consumer    string
	Limit       int
	Concurrency int // the consumer's, the lowest of those that it has in processes
}

func (e *LimitError) Error() string {
	return fmt.Sprintf("control: a limit of %d is above the Concurrency of %d of consumer %s", e.Limit, e.Concurrency, foreign.Line(e.Consumer, maxName))
}

// names shows names that somebody else has chosen, twenty at most.
func names(all []string) string {
	more := ""
	if len(all) > 20 {
		more, all = fmt.Sprintf(" and %d more", len(all)-20), all[:20]
	}
	shown := make([]string, len(all))
	for i, name := range all {
		shown[i] = foreign.Line(name, maxName)
	}
	return strings.Join(shown, ", ") + more
}

const (
	maxFor      = 10 * 365 * 24 * time.Hour
	defaultWait = 3 * time.Second
)

// resolve checks the fields and sets the defaults. The error has a line for each field that is
// wrong.
func (c Command) resolve(k kind) (Command, error) {
	var errs []error
	wrong := func(format string, args ...any) { errs = append(errs, fmt.Errorf("control: Command."+format, args...)) }
	if len(c.Consumers) == 0 {
		wrong("Consumers is empty, want names of consumers")
	}
	for _, name := range c.Consumers {
		if name == "" || len(name) > maxName {
			wrong("Consumers has a name of %d bytes, want 1 to %d", len(name), maxName)
		}
	}
	if what := c.wrongEnd(k); what != "" {
		wrong("%s", what)
	}
	if len(c.Why) > maxWhy {
		wrong("Why has %d bytes, want %d at most", len(c.Why), maxWhy)
	}
	if len(c.By) > maxName {
		wrong("By has %d bytes, want %d at most", len(c.By), maxName)
	}
	if c.Wait < 0 {
		wrong("Wait is %s, want 1ms or more, or 0 for %s", c.Wait, defaultWait)
	}
	c.By, c.Wait = cmp.Or(c.By, whoAmI()), cmp.Or(c.Wait, defaultWait)
	return c, errors.Join(errs...)
}

// wrongEnd returns what is wrong with the end of a command, or "".
func (c Command) wrongEnd(k kind) string {
	switch {
	case k == kindResume && c.For == 0: // a resume does not end
	case k == kindResume:
		return fmt.Sprintf("For is %s, a resume has no end", c.For)
	case c.Forever && c.For != 0:
		return fmt.Sprintf("For is %s and Forever is set, want one of them", c.For)
	case !c.Forever && (c.For < time.Second || c.For > maxFor):
		return fmt.Sprintf("For is %s, want %s to %s, or Forever", c.For, time.Second, maxFor)
	}
	return ""
}

// whoAmI returns user@host of this process.
func whoAmI() string {
	name := "unknown"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	host, _ := os.Hostname()
	return foreign.Cut(name+"@"+host, maxName)
}

// until returns when an order of now ends.
func (c Command) until(now time.Time) time.Time {
	if c.For == 0 {
		return time.Time{}
	}
	return now.Add(c.For).UTC().Truncate(time.Millisecond)
}

// checkLimit refuses a limit that a consumer cannot have.
func checkLimit(n int, targets []string, all []Process) error {
	var refused *LimitError
	for _, p := range concernedOf(all, targets) {
		for _, m := range p.Consumers {
			if m.Concurrency < n && (refused == nil || m.Concurrency < refused.Concurrency) {
				refused = &LimitError{m.Name, n, m.Concurrency}
			}
		}
	}
	if refused != nil {
		return refused
	}
	return nil
}

// concernedOf returns the processes that have consumers of these names, with them alone.
func concernedOf(all []Process, targets []string) []Process {
	some := []Process{}
	for _, p := range all {
		p.Consumers = slices.DeleteFunc(slices.Clone(p.Consumers), func(m Member) bool { return !slices.ContainsFunc(targets, m.is) })
		if len(p.Consumers) > 0 {
			some = append(some, p)
		}
	}
	return some
}

// standing returns the standing order of an entry, for a name.
func (e *entry) standing(name string) Order {
	o := e.order
	return Order{ID: o.ID, Consumer: name, Paused: o.Kind == kindPause, Limit: o.Limit, Until: o.Until, At: o.At, By: o.By, Why: o.Why}
}

// orders returns what stands, sorted by the consumer.
func (b *book) orders(now time.Time) []Order {
	all := []Order{}
	for _, name := range b.standing(now) {
		all = append(all, b.names[name].standing(name))
	}
	return all
}
