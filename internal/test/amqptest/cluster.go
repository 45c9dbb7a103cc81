package amqptest

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Cluster is three private nodes that form a cluster, for one test. The test may kill, freeze and
// start them one by one.
type Cluster struct {
	t testing.TB

	Nodes []*Broker
}

// StartCluster starts a cluster of three nodes, of the same version as the shared broker. It is
// wiped at cleanup. Starting takes 10 to 20 seconds.
//
// The other nodes take a node that is frozen for more than a minute for dead. It stays separated
// after a thaw: restart it. Before that, RabbitMQ 3 may refuse a message, or not confirm it, if the
// frozen node led its queue, even though another node leads the queue now.
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

// up starts all nodes concurrently: those that join wait for the first.
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

// URLs returns the nodes' URLs, in their order.
func (c *Cluster) URLs() []string {
	var urls []string
	for _, b := range c.Nodes {
		urls = append(urls, b.URL)
	}
	return urls
}

// Leader returns the node that leads a quorum queue. It waits for an election: for a leader on a
// node that this test has not killed, stopped or frozen.
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

// asked returns a node that can answer.
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
