package fleet_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/control"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/publisher"
)

// stage is a fleet of processes, and its operators. Its methods are for the test's goroutine.
type stage struct {
	t         *testing.T
	url       string
	broker    *amqptest.Broker // nil for the shared one
	prefix    string           // of the names of queues, and the name of the stream
	ledger    string
	forgetful bool
	maxAge    time.Duration
	running   []*amqptest.Process
	names     []string // of the processes that run
	started   int
	conn      *connection.Connection
	pub       *publisher.Client
	fleet     *control.Fleet
	sent      []string // message ids
}

func newStage(t *testing.T, url string, broker *amqptest.Broker) *stage {
	t.Helper()
	s := &stage{
		t: t, url: url, broker: broker, prefix: fmt.Sprintf("fleet-%08x", rand.Uint32()),
		ledger: filepath.Join(t.TempDir(), "ledger"), forgetful: *forgets, maxAge: time.Hour,
	}
	if broker == nil {
		names := []string{s.prefix}
		for _, kind := range kinds {
			for _, suffix := range []string{"", "-error", "-quarantine", "-retry-1s"} {
				names = append(names, s.consumer(kind)+suffix)
			}
		}
		amqptest.Cleanup(t, names...)
	}
	s.conn = s.connect("operator")
	var err error
	if s.pub, err = publisher.New(s.conn, publisher.Config{}, nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stopped(t, s.pub.Stop) })
	s.fleet = s.newFleet(s.conn)
	return s
}

func (s *stage) connect(name string) *connection.Connection {
	s.t.Helper()
	conn, err := connection.New(connection.Config{URL: s.url, Name: name, MinBackoff: 20 * time.Millisecond, MaxBackoff: 500 * time.Millisecond}, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { stopped(s.t, conn.Stop) })
	return conn
}

func (s *stage) newFleet(conn *connection.Connection) *control.Fleet {
	s.t.Helper()
	f, err := control.NewFleet(conn, control.FleetConfig{Stream: s.prefix, MaxAge: s.maxAge})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { stopped(s.t, f.Stop) })
	return f
}

func stopped(t *testing.T, stop func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := stop(ctx); err != nil {
		t.Error(err)
	}
}

func (s *stage) consumer(kind string) string { return s.prefix + "-" + kind }

// start starts processes, which connect to url, and waits until their consumers have begun.
func (s *stage) start(n int, url string) []*amqptest.Process {
	s.t.Helper()
	var all []*amqptest.Process
	for range n {
		s.started++
		name := fmt.Sprint("p", s.started)
		text, err := json.Marshal(task{
			Name: name, URL: url, Prefix: s.prefix, Ledger: s.ledger, MaxAge: s.maxAge, Forgetful: s.forgetful && s.started > n,
		})
		if err != nil {
			s.t.Fatal(err)
		}
		all = append(all, amqptest.StartProcess(s.t, []string{taskVariable + "=" + string(text)}))
		s.names = append(s.names, name)
	}
	for _, p := range all {
		p.Await(readyLine, 2*time.Minute)
	}
	s.running = append(s.running, all...)
	return all
}

// end has all processes stop, or kills them.
func (s *stage) end(kill bool) {
	s.t.Helper()
	for _, p := range s.running {
		if kill {
			p.Kill()
		} else {
			p.Terminate()
		}
	}
	for _, p := range s.running {
		if code := p.Wait(time.Minute); !kill && code != 0 {
			s.t.Errorf("a process has ended with %d:\n%s", code, p.Output())
		}
	}
	s.running, s.names = nil, nil
}

func (s *stage) entries() entries {
	s.t.Helper()
	all, err := readLedger(s.ledger)
	if err != nil {
		s.t.Fatal(err)
	}
	return all
}

// reaches waits until a consumer is in this state in all processes that run, and returns when the
// last of them was.
func (s *stage) reaches(kind, want string, within time.Duration) (last time.Time) {
	s.t.Helper()
	var others []string
	amqptest.Eventually(s.t, within, func() bool {
		states := s.entries().states(s.consumer(kind))
		others, last = nil, time.Time{}
		for _, name := range s.names {
			if e := states[name]; e.text != want {
				others = append(others, name+" "+e.text)
			} else if e.at.After(last) {
				last = e.at
			}
		}
		return len(others) == 0
	}, "%s is not %s everywhere: %v", kind, want, &others)
	return last
}

// publish sends messages to each consumer.
func (s *stage) publish(n int) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	for range n {
		for _, kind := range kinds {
			id := fmt.Sprintf("%s%d", kind, len(s.sent))
			if err := s.pub.Publish(ctx, s.consumer(kind), id, publisher.MessageID(id)); err != nil {
				s.t.Fatal(err)
			}
			s.sent = append(s.sent, id)
		}
	}
}

// handled waits until all that was sent to these consumers is done.
func (s *stage) handled(of ...string) {
	s.t.Helper()
	var ids, lost []string
	for _, id := range s.sent {
		for _, kind := range of {
			if strings.HasPrefix(id, kind) {
				ids = append(ids, id)
			}
		}
	}
	amqptest.Eventually(s.t, 30*time.Second, func() bool { lost = s.entries().missing(ids); return len(lost) == 0 }, "not handled: %v", &lost)
}

// obedient looks whether a handler has begun where its consumer was paused.
func (s *stage) obedient() {
	s.t.Helper()
	for i, e := range s.entries().disobedient(100 * time.Millisecond) {
		if s.t.Errorf("%s has begun %s of %s while it was paused", e.process, e.text, e.consumer); i == 10 {
			return
		}
	}
}

// command returns one for consumers.
func (s *stage) command(ends time.Duration, of ...string) control.Command {
	c := control.Command{For: ends, Forever: ends == 0, Why: "a trial", Wait: 10 * time.Second}
	for _, kind := range of {
		c.Consumers = append(c.Consumers, s.consumer(kind))
	}
	return c
}

// ordered gives an order, which all processes must have answered.
func (s *stage) ordered(give func(context.Context) (control.Receipt, error)) control.Receipt {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	r, err := give(ctx)
	if err != nil {
		s.t.Fatal(err)
	}
	// An answer may be late. Whether all obey is for the ledger to say.
	if len(r.Obeyed) == 0 {
		s.t.Error("no process has answered that it obeys")
	} else if len(r.Obeyed) < len(s.names) {
		s.t.Logf("%d of %d processes have answered that they obey, %d are silent", len(r.Obeyed), len(s.names), r.Silent)
	}
	return r
}

func (s *stage) pause(c control.Command) control.Receipt {
	s.t.Helper()
	return s.ordered(func(ctx context.Context) (control.Receipt, error) { return s.fleet.Pause(ctx, c) })
}

func (s *stage) limit(n int, c control.Command) control.Receipt {
	s.t.Helper()
	return s.ordered(func(ctx context.Context) (control.Receipt, error) { return s.fleet.Limit(ctx, n, c) })
}

func (s *stage) resume(of ...string) control.Receipt {
	s.t.Helper()
	c := s.command(0, of...)
	c.Forever = false
	return s.ordered(func(ctx context.Context) (control.Receipt, error) { return s.fleet.Resume(ctx, c) })
}

// orders returns what stands.
func (s *stage) orders() []control.Order {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	all, err := s.fleet.Orders(ctx)
	if err != nil {
		s.t.Fatal(err)
	}
	return all
}

// stands says whether a pause of a consumer stands in the stream, which may be missing; why if not.
func (s *stage) stands(kind string) (ok bool, why string) {
	ctx, cancel := context.WithTimeout(s.t.Context(), 10*time.Second)
	defer cancel()
	all, err := s.fleet.Orders(ctx)
	ok = slices.ContainsFunc(all, func(o control.Order) bool { return o.Consumer == s.consumer(kind) && o.Paused })
	return ok, fmt.Sprint(all, err)
}
