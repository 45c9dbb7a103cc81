package inspect

import (
	"testing"

	"github.com/bunnicula-go/bunnicula/topology"
)

func number(i int) *int { return &i }

// members returns partitions with these numbers of consumers; -1 is a queue that is missing.
func members(ready int, consumers ...int) *Partitions {
	p := &Partitions{Queue: "orders"}
	for i, n := range consumers {
		if n >= 0 {
			p.All = append(p.All, Partition{Number: i, Queue: topology.PartitionQueue("orders", i), State: Present, Ready: number(ready), Consumers: number(n)})
		}
	}
	return p
}

func TestHowManyPartitionsThereAreIsKnownFromWhoConsumes(t *testing.T) {
	for _, test := range []struct {
		of    *Partitions
		given int
		n     int
		from  NFrom
		want  []Trouble
		still []bool
	}{
		{members(0, 1, 1, 1), 0, 3, NConsumers, []Trouble{"", "", ""}, []bool{false, false, false}},
		{members(1, 1, 1, 0, 0), 0, 2, NConsumers, []Trouble{"", "", PartitionLeft, PartitionLeft}, []bool{false, false, true, true}},
		{members(0, 1, 1, 0, 0), 0, 2, NConsumers, []Trouble{"", "", PartitionLeft, PartitionLeft}, []bool{false, false, false, false}},
		{members(0, 1, 1, 0, 0), 4, 4, NGiven, []Trouble{"", "", PartitionNobody, PartitionNobody}, []bool{false, false, true, true}},
		{members(0, 0, 0), 0, 2, NQueues, []Trouble{PartitionNobody, PartitionNobody}, []bool{true, true}},
		{members(0, 1, -1, 1), 0, 3, NConsumers, []Trouble{"", PartitionMissing, ""}, []bool{false, true, false}},
		{members(0, 1, 1), 3, 3, NGiven, []Trouble{"", "", PartitionMissing}, []bool{false, false, true}},
	} {
		test.of.judge(Expect{N: test.given, NFrom: NGiven})
		if test.of.N != test.n || test.of.NFrom != test.from || len(test.of.All) != len(test.want) {
			t.Errorf("%+v, want %d partitions from %s", test.of, test.n, test.from)
			continue
		}
		for i, p := range test.of.All {
			if p.Trouble != test.want[i] || p.Still != test.still[i] || p.Number != i {
				t.Errorf("%+v, want the trouble %q, and still %v", p, test.want[i], test.still[i])
			}
		}
	}
}

func TestWhoStandsByIsNotActive(t *testing.T) {
	yes, no := true, false
	for name, test := range map[string]struct {
		p    Partition
		want Trouble
	}{
		"a quorum queue with one active":      {Partition{Consumers: number(1), Subscribed: number(3), Holder: &Holder{}}, ""},
		"a quorum queue with none active":     {Partition{Consumers: number(0), Subscribed: number(3)}, PartitionIdle},
		"an API that is some seconds behind":  {Partition{Consumers: number(1), Subscribed: number(3)}, ""},
		"a classic queue counts all":          {Partition{Consumers: number(3), Subscribed: number(3)}, PartitionIdle},
		"nobody":                              {Partition{Consumers: number(0), Subscribed: number(0)}, PartitionNobody},
		"just subscribed":                     {Partition{Consumers: number(1), Subscribed: number(0)}, ""},
		"a queue without single active":       {Partition{Consumers: number(2), Single: &no}, PartitionShared},
		"a queue with single active consumer": {Partition{Consumers: number(1), Single: &yes}, ""},
	} {
		test.p.State = Present
		if test.p.judge(1); test.p.Trouble != test.want {
			t.Errorf("%s: %q, want %q", name, test.p.Trouble, test.want)
		}
	}
}

func TestAPartitionSharesTheErrorQueueOfItsQueue(t *testing.T) {
	c := FromName("orders.p03", nil)
	if last := c.Queues[len(c.Queues)-1]; last.Name != "orders-error" {
		t.Errorf("it parks in %s", last.Name)
	}
	if found := FromQueues([]string{"orders.p00", "orders.p01", "orders-error"}); len(found) != 2 || found[1].Name != "orders.p01" {
		t.Errorf("found by their names: %+v", found)
	}
}
