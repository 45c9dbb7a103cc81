package brokertest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/internal/transport"
)

// RunReal runs a test with the real broker at a URL: the one that [Run] runs in memory. Time is
// real, so the test has short delays.
func RunReal(t *testing.T, url string, test func(t *testing.T, b *Broker)) {
	t.Helper()
	test(t, Real(t, url))
}

// Real makes a Broker of the real one at a URL, such as amqp://guest:guest@localhost:5672/. It
// wants a broker or a vhost that has no queue of the test's names: a process that declares one
// which is there and not empty gets an error. The queues that its processes have declared are
// deleted at the test's end; exchanges stay.
//
// It uses AMQP alone. What it cannot know there, its methods say.
func Real(t testing.TB, url string) *Broker {
	t.Helper()
	if url == "" {
		t.Fatal("brokertest: Real: the URL is empty, want amqp://user:password@host:5672/vhost: skip the test where there is no broker")
	}
	conn, err := connection.New(realConfig(url, "brokertest"), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatalf("brokertest: Real: %v", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), startsWithin)
	defer cancel()
	s := &realSite{t: t, url: url, conn: conn.Transport(), declared: map[string]declared{}}
	if err := conn.Ready(ctx); err != nil {
		_ = conn.Stop(context.WithoutCancel(ctx))
		t.Fatalf("brokertest: Real: no broker at %s: %v", connectionName(url), err)
	}
	return start(t, s)
}

// startsWithin is how long Real waits for a broker, which may be starting.
var startsWithin = 15 * time.Second

// connectionName is the URL without its secret.
func connectionName(url string) string {
	u, err := amqp.ParseURI(url)
	if err != nil {
		return "this URL"
	}
	return fmt.Sprintf("%s:%d, vhost %q", u.Host, u.Port, u.Vhost)
}

func realConfig(url, name string) connection.Config {
	return connection.Config{URL: url, Name: name, MinBackoff: 20 * time.Millisecond, MaxBackoff: 200 * time.Millisecond}
}

// realSite is a real broker.
type realSite struct {
	t    testing.TB
	url  string
	conn transport.Connection // with which it looks

	mu       sync.Mutex
	declared map[string]declared // queues that the test's processes have declared or found
	channels []*watchedChannel   // of the test's processes
}

// declared is a queue of the test's processes.
type declared struct {
	arguments amqp.Table
	found     bool // it was there before, and stays
	looked    bool // nobody has declared it
}

// inUse refuses a declaration as a broker refuses one that its user may not make, so that nobody
// tries it again.
func inUse(queue string, found amqp.Queue) error {
	return &amqp.Error{Code: amqp.AccessRefused, Server: true, Recover: true, Reason: fmt.Sprintf(
		"ACCESS_REFUSED - brokertest: queue '%s' is there with %d messages and %d consumers, so that it may be somebody's: give the test a vhost of its own, or its queues other names",
		queue, found.Messages, found.Consumers)}
}

func (s *realSite) connect(name string) (transport.Connection, error) {
	conn, err := connection.New(realConfig(s.url, name), slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	return watched{conn.Transport(), s}, nil
}

func (s *realSite) kill(conn transport.Connection) { conn.Abort() }

func (s *realSite) cut(all []transport.Connection) {
	for _, conn := range all {
		for _, link := range []transport.Link{conn.Publishing(), conn.Consuming()} {
			if !link.Health().Connected {
				continue
			}
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			if session, err := link.Session(ctx); err == nil {
				session.Abort(errors.New("cut by the test"))
			}
			cancel()
		}
	}
}

func (s *realSite) queues() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var names []string
	for name := range s.declared {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func (s *realSite) count(queue string) (count, bool) {
	found, err := s.passive(queue)
	if refusedWith(err, amqp.NotFound) {
		return count{}, false
	} else if err != nil {
		s.t.Errorf("brokertest: look at queue %s: %v", queue, err)
		return count{}, false
	}
	return count{ready: found.Messages, unacked: s.unacked(queue), consumers: found.Consumers}, true
}

func (s *realSite) passive(queue string) (amqp.Queue, error) {
	return transport.Look(context.Background(), queue, func(request func(transport.Channel) error) error {
		return s.ask("look at a queue", request)
	})
}

// ask makes a request on a channel of its own, because a refusal closes the channel.
func (s *realSite) ask(what string, f func(transport.Channel) error) error {
	ctx, cancel := patience()
	defer cancel()
	session, err := s.conn.Consuming().Session(ctx)
	if err != nil {
		return err
	}
	ch, err := session.Channel(ctx)
	if err != nil {
		return err
	}
	err = session.Do(ctx, what, func() error { return f(ch) })
	if !ch.IsClosed() {
		err = cmp.Or(err, session.Do(ctx, "close a channel", ch.Close))
	}
	return err
}

// unacked is how many messages of a queue the test's processes have.
func (s *realSite) unacked(queue string) int {
	s.mu.Lock()
	all := slices.Clone(s.channels)
	s.mu.Unlock()
	n := 0
	for _, ch := range all {
		n += ch.unacked(queue)
	}
	return n
}

func (s *realSite) dead(queue string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	args := s.declared[queue].arguments
	key, _ := args["x-dead-letter-routing-key"].(string)
	if args["x-dead-letter-exchange"] != "" {
		return ""
	}
	return key
}

func (s *realSite) remove(queue string) {
	if err := s.ask("delete a queue", func(ch transport.Channel) error {
		_, err := ch.QueueDelete(queue, false, false, false)
		return err
	}); err != nil {
		s.t.Errorf("brokertest: delete queue %s: %v", queue, err)
	}
}

func (s *realSite) rest() {}

func (s *realSite) calm() (int, time.Duration) { return 4, 50 * time.Millisecond }

func (s *realSite) memory() memory { return nil }

// close deletes what the test's processes have declared.
func (s *realSite) close() {
	for _, queue := range s.queues() {
		s.mu.Lock()
		found := s.declared[queue].found
		s.mu.Unlock()
		if !found {
			s.remove(queue)
		}
	}
	ctx, cancel := patience()
	defer cancel()
	_ = s.conn.Stop(ctx) // it has published nothing
}

// declaring is called before a process declares a queue. The queue of somebody else is refused.
func (s *realSite) declaring(queue string, args amqp.Table) error {
	s.mu.Lock()
	defer s.mu.Unlock() // so that the second of two who declare it at once does not take it for somebody's
	if d, known := s.declared[queue]; known && !d.looked {
		return nil
	}
	found, err := s.passive(queue)
	switch {
	case refusedWith(err, amqp.NotFound):
		s.declared[queue] = declared{arguments: args}
	case refusedWith(err, amqp.ResourceLocked):
		return nil // its declaration will tell
	case err != nil:
		return err
	case found.Messages > 0 || found.Consumers > 0:
		return inUse(queue, found)
	default:
		s.declared[queue] = declared{arguments: args, found: true}
	}
	return nil
}

// found is called when a process has found a queue.
func (s *realSite) found(queue string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, known := s.declared[queue]; !known {
		s.declared[queue] = declared{found: true, looked: true}
	}
}

func refusedWith(err error, code int) bool {
	var refused *amqp.Error
	return errors.As(err, &refused) && refused.Code == code
}
