//go:build unix

package upgrade_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/internal/test/upgrade/order"
	"github.com/bunnicula-go/bunnicula/topology"
)

// evidence collects what is left, once all workers have ended.
func (c *conductor) evidence() evidence {
	c.t.Helper()
	e := evidence{confirmed: c.confirmed, journal: c.entries()}
	for _, topo := range c.topologies {
		for _, q := range topo.Queues {
			for _, d := range c.drain(q.Name) {
				p := parcel{queue: q.Name, parked: q.Role == topology.RoleError, header: d.Headers}
				if err := json.Unmarshal(d.Body, &p.Order); err != nil || d.MessageId != id(p.Order) {
					c.t.Errorf("a stranger in %s: id %q, body %.60q", q.Name, d.MessageId, d.Body)
				}
				e.left = append(e.left, p)
			}
		}
	}
	// What a worker has in hand when it dies may end twice.
	deaths := c.kills[old] + c.kills[today] + c.deaths[old] + c.deaths[today]
	for _, spec := range order.Specs(c.base) {
		e.twice += deaths * spec.Prefetch
	}
	return e
}

// drain takes all that is in a queue, by a subscription: basic.get takes none from a quorum queue
// with a single active consumer.
func (c *conductor) drain(queue string) (all []amqp.Delivery) {
	c.t.Helper()
	n := amqptest.Depth(c.t, queue)
	deliveries, err := amqptest.Channel(c.t).Consume(queue, "", true, false, false, false, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	for range n {
		select {
		case d := <-deliveries:
			all = append(all, d)
		case <-time.After(10 * time.Second):
			c.t.Errorf("%d of %d messages came out of %s", len(all), n, queue)
			return all
		}
	}
	return all
}

func (c *conductor) entries() (all []order.Entry) {
	c.t.Helper()
	file, err := os.Open(c.journal)
	if err != nil {
		c.t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		var e order.Entry
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			c.t.Errorf("the journal has the line %q: %v", lines.Text(), err)
			continue
		}
		all = append(all, e)
	}
	return all
}

// begun is how many attempts began in workers of a version.
func (c *conductor) begun(version string) (n int) {
	for _, e := range c.entries() {
		if e.Version == version && e.Said == "" {
			n++
		}
	}
	return n
}

func id(o order.Order) string { return fmt.Sprintf("%s-%d", o.Lane, o.N) }
