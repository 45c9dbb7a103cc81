//go:build unix

package upgrade_test

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/internal/test/upgrade/order"
	"github.com/bunnicula-go/bunnicula/topology"
)

// The versions.
const (
	old   = "old"
	today = "new"
)

const (
	slots     = 4   // workers at a time
	perSecond = 100 // messages that are published
)

// conductor runs a rolling upgrade. All but the publishing is done by the goroutine of the test.
type conductor struct {
	t          *testing.T
	programs   map[string]string // by version
	random     *rand.Rand
	base       string
	journal    string
	topologies []topology.Topology

	workers [slots]slot
	kills   map[string]int // by us, by version
	deaths  map[string]int // by a message
	stops   int

	publishing sync.WaitGroup
	mu         sync.Mutex
	confirmed  []order.Order
}

// slot is the place of one worker.
type slot struct {
	*amqptest.Process
	version string // of the worker
	want    string // of the next
	ordered bool   // we have ended it
}

// newConductor starts workers of these versions.
func newConductor(t *testing.T, programs map[string]string, random *rand.Rand, versions [slots]string) *conductor {
	t.Helper()
	c := &conductor{
		t: t, programs: programs, random: random, base: amqptest.Queue(t, "rolling"),
		journal: filepath.Join(t.TempDir(), "journal"), kills: map[string]int{}, deaths: map[string]int{},
	}
	for _, spec := range order.Specs(c.base) {
		spec.Handler = consumer.JSON(func(_ context.Context, _ consumer.Message[order.Order]) consumer.Result { return consumer.Ack() })
		declared, err := consumer.New(nil, spec, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		c.topologies = append(c.topologies, declared.Topology())
		for _, q := range declared.Topology().Queues {
			amqptest.Cleanup(t, q.Name)
		}
		for _, e := range declared.Topology().Exchanges {
			amqptest.Cleanup(t, e.Name)
		}
	}
	for i := range c.workers {
		c.workers[i].want = versions[i]
		c.start(i)
	}
	for i := range c.workers {
		c.workers[i].Await("ready", time.Minute)
	}
	return c
}

func (c *conductor) start(i int) {
	w := &c.workers[i]
	w.version, w.ordered = w.want, false
	w.Process = amqptest.StartProcess(c.t, []string{
		"AMQP_URL=" + amqptest.URL(c.t), "UPGRADE_BASE=" + c.base, "UPGRADE_JOURNAL=" + c.journal, "UPGRADE_VERSION=" + w.version,
	}, amqptest.Program(c.programs[w.version]))
}

// mixed returns n orders, in the order in which they are published.
func mixed(n, killers int, random *rand.Rand) []order.Order {
	lanes := []string{"standard", "standard", "standard", "single", "classic", "bunnicula"}
	kinds := []string{order.Ack, order.Ack, order.Ack, order.Ack, order.Retry, order.Always, order.Error, order.Snooze, order.Slow, order.Forward, order.Delayed}
	all := make([]order.Order, n)
	for i := range all {
		all[i] = order.Order{Lane: lanes[random.IntN(len(lanes))], N: i, Do: kinds[random.IntN(len(kinds))]}
		if i%(n/killers) == n/killers/2 {
			all[i].Lane, all[i].Do = "standard", order.Kill
		}
		if all[i].Lane == "bunnicula" && all[i].Do == order.Delayed { // it has no such queue
			all[i].Do = order.Ack
		}
	}
	return all
}

// publish publishes orders in the background, and keeps those that the broker has confirmed.
func (c *conductor) publish(n, killers int) {
	all := mixed(n, killers, c.random)
	ch := amqptest.Channel(c.t)
	if err := ch.Confirm(false); err != nil {
		c.t.Fatal(err)
	}
	c.publishing.Go(func() {
		tick := time.NewTicker(time.Second / perSecond)
		defer tick.Stop()
		for _, o := range all {
			<-tick.C
			if err := c.post(ch, o); err != nil {
				c.t.Errorf("publish %v: %v", o, err)
				return
			}
		}
	})
}

func (c *conductor) post(ch *amqp.Channel, o order.Order) error {
	key, headers := c.base+"-"+o.Lane, order.Headers(o.N)
	if o.Do == order.Delayed { // as publisher.Delay does
		due := time.Now().Add(1500 * time.Millisecond).Truncate(time.Millisecond)
		stamp := due.UTC().Format("2006-01-02T15:04:05.000Z07:00")
		o.Due, key = due.UnixMilli(), topology.RetryQueue(key, time.Second)
		headers["bunnicula-due"], headers["bunnicula-not-before"] = stamp, stamp
	}
	body, err := json.Marshal(o)
	if err != nil {
		return err
	}
	confirm, err := ch.PublishWithDeferredConfirm("", key, true, false, amqp.Publishing{
		ContentType: "application/json", DeliveryMode: amqp.Persistent, MessageId: id(o), Headers: headers, Body: body,
	})
	if err == nil && confirm.Wait() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.confirmed = append(c.confirmed, o)
	}
	return err
}

// whilePublishing calls do, and starts workers in the place of those that end, until all is
// published.
func (c *conductor) whilePublishing(do func()) {
	published := make(chan struct{})
	go func() { c.publishing.Wait(); close(published) }()
	for {
		do()
		c.tend()
		select {
		case <-published:
			return
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// roll upgrades the workers while messages are published: a quarter of the time all are old, then
// half of them, and for the last quarter all are new.
func (c *conductor) roll() {
	began, whole := time.Now(), time.Duration(*messages)*time.Second/perSecond
	next := began.Add(time.Second)
	c.whilePublishing(func() {
		passed := time.Since(began)
		for i := range c.workers {
			if passed > whole/4 && i < slots/2 || passed > 3*whole/4 {
				c.upgrade(i)
			}
		}
		if time.Now().After(next) {
			c.end(c.random.IntN(slots), c.random.IntN(4) > 0)
			next = time.Now().Add(300*time.Millisecond + time.Duration(c.random.IntN(1500))*time.Millisecond)
		}
	})
}

// upgrade ends a worker of the earlier version, so that one of today's takes its place.
func (c *conductor) upgrade(i int) {
	if w := &c.workers[i]; w.want == old {
		w.want = today
		c.end(i, c.random.IntN(2) > 0)
	}
}

// end kills a worker, or asks it to stop.
func (c *conductor) end(i int, kill bool) {
	w := &c.workers[i]
	if w.ordered {
		return
	}
	w.ordered = true
	if kill {
		c.kills[w.version]++
		w.Kill()
		return
	}
	c.stops++
	w.Terminate()
}

// tend starts a worker in the place of each that has ended.
func (c *conductor) tend() {
	c.t.Helper()
	for i := range c.workers {
		w := &c.workers[i]
		select {
		case <-w.Ended():
		default:
			continue
		}
		switch code := w.Wait(0); {
		case w.ordered && (code == 0 || code == 137):
		case !w.ordered && code == 137:
			c.deaths[w.version]++
		default:
			c.t.Errorf("a worker (%s) ended with %d:\n%s", w.version, code, w.Output())
		}
		c.start(i)
	}
}

// settle waits until all has been handled to an end, and stops the workers.
func (c *conductor) settle() {
	c.t.Helper()
	var since time.Time // all is done, zero while it is not
	for end := time.Now().Add(5 * time.Minute); since.IsZero() || time.Since(since) < 2*time.Second; time.Sleep(100 * time.Millisecond) {
		c.tend()
		if time.Now().After(end) {
			c.t.Error("not all was handled within 5 m")
			break
		}
		if done := c.done(); !done {
			since = time.Time{}
		} else if since.IsZero() {
			since = time.Now()
		}
	}
	for i := range c.workers {
		c.end(i, false)
	}
	for i := range c.workers {
		if code := c.workers[i].Wait(30 * time.Second); code != 0 {
			c.t.Errorf("a worker (%s) ended with %d:\n%s", c.workers[i].version, code, c.workers[i].Output())
		}
	}
}

// done says whether nothing waits in any queue and as many messages are parked as ask for it, at
// least.
func (c *conductor) done() bool {
	waiting, parked := 0, 0
	for _, topo := range c.topologies {
		for _, q := range topo.Queues {
			n := amqptest.Depth(c.t, q.Name)
			if q.Role == topology.RoleError {
				parked += n
			} else {
				waiting += n
			}
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, o := range c.confirmed {
		if reasons[o.Do] != "" {
			parked--
		}
	}
	return waiting == 0 && parked >= 0
}
