package amqptest

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Cluster is three private nodes that belong together, for one test, which may kill, freeze
// and start them one by one.
type Cluster struct {
	t testing.TB

	Nodes []*Broker
}

// StartCluster starts a cluster of three, of the same version as the shared broker; it is wiped
// at cleanup. It takes 10 to 20 seconds.
//
// A node that is frozen for more than a minute is dead to the others, and stays apart from them when it is
// thawed: start it anew. Before that, RabbitMQ 3 may refuse or not confirm what is published to a queue
// that the frozen node led, though another leads it now.
func StartCluster(t testing.TB, settings ...Setting) *Cluster {
	t.Helper()
	c := &Cluster{t: t}
	for i := range 3 {
		c.Nodes = append(c.Nodes, newBroker(t, settings))
		if i > 0 {
			c.Nodes[i].node["BROKER_JOIN"] = c.Nodes[0].node["BROKER_NODE"]
		}
	}
	if err := c.up(); err != nil {
		t.Fatal(err)
	}
	for _, b := range c.Nodes {
		b.started()
	}
	if n := strings.TrimSpace(c.Nodes[0].Ctl("eval", "length(nodes()) + 1.")); n != strconv.Itoa(len(c.Nodes)) {
		t.Fatalf("amqptest: cluster: %s nodes, want %d", n, len(c.Nodes))
	}
	return c
}

// up starts all nodes side by side: those that join wait for the first.
func (c *Cluster) up() error {
	errs := make([]error, len(c.Nodes))
	var booting sync.WaitGroup
	for i, b := range c.Nodes {
		booting.Go(func() { _, errs[i] = script(b.node, "up") })
	}
	booting.Wait()
	for i, err := range errs {
		if err != nil {
			return fmt.Errorf("amqptest: cluster: node %d: %w", i+1, err)
		}
	}
	return nil
}

// URLs are the nodes' URLs, in their order.
func (c *Cluster) URLs() []string {
	var urls []string
	for _, b := range c.Nodes {
		urls = append(urls, b.URL)
	}
	return urls
}

// Leader is the node that leads a quorum queue. It waits for an election, if one goes on: for a leader
// that runs, as far as this test has not killed, stopped or frozen it.
func (c *Cluster) Leader(queue string) *Broker {
	c.t.Helper()
	var leader *Broker
	Eventually(c.t, 30*time.Second, func() bool {
		c.t.Helper()
		said := c.asked().Ctl("eval", fmt.Sprintf(`
			{ok, Q} = rabbit_amqqueue:lookup(rabbit_misc:r(<<%q>>, queue, <<%q>>)),
			{Name, _} = amqqueue:get_pid(Q),
			Nodes = case maps:get(nodes, amqqueue:get_type_state(Q)) of
				Map when is_map(Map) -> maps:keys(Map); %%%% from 4.3 on
				List -> List
			end,
			case ra:members([{Name, N} || N <- Nodes, N =:= node() orelse lists:member(N, nodes())]) of
				{ok, _, {_, Leader}} -> Leader;
				Other -> Other
			end.`, login, queue))
		for _, b := range c.Nodes {
			if b.state.Load() == running && strings.Contains(said, "-"+b.node["BROKER_NODE"]+"@localhost") {
				leader = b
			}
		}
		return leader != nil
	}, "queue %s has no leader", queue)
	return leader
}

// asked is a node that can answer.
func (c *Cluster) asked() *Broker {
	c.t.Helper()
	for _, b := range c.Nodes {
		if b.state.Load() == running {
			return b
		}
	}
	c.t.Fatal("amqptest: cluster: no node runs")
	return nil
}
