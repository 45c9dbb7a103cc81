package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/internal/test/connecttest"
	"github.com/bunnicula-go/bunnicula/publisher"
)

// load publishes and consumes on one connection, and counts. A tenth of the messages is retried
// once, so that there are copies too.
type load struct {
	*rig
	queue   string
	slowest atomic.Int64 // how long a publish took at most
	mu      sync.Mutex   // guards what is below
	handled map[string]int
}

func newLoad(t *testing.T, cfg connection.Config, name string) *load {
	t.Helper()
	cfg.Heartbeat, cfg.MaxBackoff = 2*time.Second, time.Second
	conn := connecttest.New(t, cfg)
	pub, err := publisher.New(conn, publisher.Config{}, quietLog)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pub.Stop(connecttest.Within(t, time.Second)) })
	l := &load{rig: &rig{t: t, ctx: connecttest.Within(t, 3*time.Minute), conn: conn, pub: pub}, queue: name, handled: map[string]int{}}
	l.rig.start(consumer.Spec{
		Queue: name, Backoff: []time.Duration{500 * time.Millisecond}, Concurrency: 8,
		Handler: func(_ context.Context, d consumer.Delivery) consumer.Result {
			if d.Attempt == 1 && strings.HasSuffix(d.MessageID, "0") {
				return consumer.Retry(errors.New("once more"))
			}
			l.mu.Lock()
			defer l.mu.Unlock()
			l.handled[d.MessageID]++
			return consumer.Ack()
		},
	})
	return l
}

// run publishes until the time is over, and then waits until all is handled.
func (l *load) run(d time.Duration) (published int) {
	l.t.Helper()
	var next atomic.Int64
	var all sync.WaitGroup
	end := time.Now().Add(d)
	for range 4 {
		all.Go(func() {
			for time.Now().Before(end) {
				began := time.Now()
				id := fmt.Sprintf("m%06d", next.Add(1))
				if err := l.pub.Publish(l.ctx, l.queue, id, publisher.MessageID(id)); err != nil {
					l.t.Errorf("%s: %v", id, err)
					return
				}
				took := time.Since(began).Milliseconds()
				for was := l.slowest.Load(); took > was && !l.slowest.CompareAndSwap(was, took); was = l.slowest.Load() {
					continue
				}
				time.Sleep(4 * time.Millisecond) // so that the broker is busy, and the machine is not
			}
		})
	}
	all.Wait()
	published = int(next.Load())
	amqptest.Eventually(l.t, 30*time.Second, func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		return len(l.handled) == published
	}, "not all messages are handled")
	return published
}

// twice is how many messages were handled more than once.
func (l *load) twice() (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, times := range l.handled {
		if times > 1 {
			n++
		}
	}
	return n
}

// lost is how often a TCP connection was lost.
func (l *load) lost() int {
	h := l.conn.Health()
	return h.Publishing.Lost + h.Consuming.Lost
}

func TestATokenThatExpiresUnderLoadCostsNoConnection(t *testing.T) {
	amqptest.Long(t) // a broker of its own, and more than three tokens
	t.Parallel()
	life, lasts := 20*time.Second, 70*time.Second
	o := amqptest.StartOAuth(t)
	u, err := url.Parse(o.URL)
	if err != nil {
		t.Fatal(err)
	}
	u.User = nil
	var asked atomic.Int64
	l := newLoad(t, connection.Config{URL: u.String(), Credentials: func(context.Context) (connection.Credentials, error) {
		asked.Add(1)
		expires := time.Now().Add(life).Truncate(time.Second)
		return connection.Credentials{Username: "shop", Password: o.Token("shop", expires) + "\n", Expires: expires}, nil
	}}, "orders")
	n := l.run(lasts)
	t.Logf("%d messages, the slowest publish took %d ms, %d tokens, %d handled twice", n, l.slowest.Load(), asked.Load(), l.twice())
	if l.lost() > 0 || l.twice() > 0 || l.slowest.Load() > 2000 {
		t.Errorf("%d connections lost, %d messages handled twice, the slowest publish took %d ms", l.lost(), l.twice(), l.slowest.Load())
	}
	if least := 2 * (1 + int64(lasts/life)); asked.Load() < least {
		t.Errorf("%d tokens for two connections, which proves nothing: want %d", asked.Load(), least)
	}
	if h := l.conn.Health(); !h.OK() || h.Publishing.Renewal != nil || h.Consuming.Renewal != nil {
		t.Errorf("%+v", h)
	}
}

// member makes a user of the tests' broker, and returns its URL without a user.
func member(t *testing.T, user, password string) (bare string) {
	t.Helper()
	u, err := url.Parse(amqptest.URL(t))
	if err != nil {
		t.Fatal(err)
	}
	amqptest.User(t, user, password, ".*", ".*", ".*")
	u.User = nil
	return u.String()
}

func TestARotatedPasswordIsUsedWithoutARestart(t *testing.T) {
	t.Parallel()
	queue := amqptest.Queue(t, "rotated", "-retry-500ms")
	proxy := amqptest.NewProxy(t, member(t, queue, "one"))
	var password atomic.Pointer[string]
	one, two := "one\n", "two\r\n" // as from a file
	password.Store(&one)
	var asked atomic.Int64
	l := newLoad(t, connection.Config{URL: proxy.URL(), Credentials: func(context.Context) (connection.Credentials, error) {
		asked.Add(1)
		return connection.Credentials{Username: queue, Password: *password.Load()}, nil
	}}, queue)
	l.run(500 * time.Millisecond)

	amqptest.ChangePassword(t, queue, "two")
	proxy.Cut()
	amqptest.Eventually(t, 15*time.Second, func() bool {
		h := l.conn.Health().Publishing
		return h.Err != nil && strings.Contains(h.Err.Error(), "check what Config.Credentials gives")
	}, "the old password is still accepted")
	if text := l.conn.Health().Publishing.Err.Error(); strings.Contains(text, "one") {
		t.Errorf("the password is shown: %s", text)
	}
	password.Store(&two)
	l.mu.Lock()
	clear(l.handled)
	l.mu.Unlock()
	l.run(500 * time.Millisecond)
	// Each of two connections at first and at last, and the publishing one in between: the other may
	// have come when the password was there.
	if !l.conn.Health().OK() || asked.Load() < 5 {
		t.Errorf("asked %d times, %+v", asked.Load(), l.conn.Health())
	}
}

func TestAnotherUserGetsAnotherSessionAndNothingIsLost(t *testing.T) {
	t.Parallel()
	queue := amqptest.Queue(t, "users", "-retry-500ms")
	one, two := queue+"-one", queue+"-two"
	member(t, one, "first")
	bare := member(t, two, "second")
	began := time.Now()
	l := newLoad(t, connection.Config{URL: bare, Credentials: func(context.Context) (connection.Credentials, error) {
		if time.Since(began) < time.Second {
			return connection.Credentials{Username: one, Password: "first", Expires: began.Add(7 * time.Second)}, nil
		}
		return connection.Credentials{Username: two, Password: "second"}, nil
	}}, queue)
	n := l.run(6500 * time.Millisecond) // the other user comes after 5.6 s
	if l.twice() > 0 {
		t.Errorf("%d messages handled twice, although each handler takes no time", l.twice())
	}
	t.Logf("%d messages, the slowest publish took %d ms, %d handled twice", n, l.slowest.Load(), l.twice())
	publishing, consuming := l.conn.Transport().Publishing(), l.conn.Transport().Consuming()
	users := []string{connecttest.Session(t, publishing).User(), connecttest.Session(t, consuming).User()}
	if !slices.Equal(users, []string{two, two}) {
		t.Errorf("the sessions are of %q, want %q", users, two)
	}
	if l.lost() > 0 || l.slowest.Load() > 2000 {
		t.Errorf("%d connections lost, the slowest publish took %d ms", l.lost(), l.slowest.Load())
	}
}
