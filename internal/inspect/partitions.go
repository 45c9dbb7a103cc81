package inspect

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/management"
	"github.com/bunnicula-go/bunnicula/topology"
)

// Partitions is the state of the partitions of one queue at one moment.
type Partitions struct {
	Queue string `json:"queue"`
	// N is how many partitions the consumers have, 0 if there are none. NFrom says who tells.
	N     int         `json:"partitions"`
	NFrom NFrom       `json:"partitions_from"`
	All   []Partition `json:"list"`
	// The queues in which messages are parked that failed. There should be one.
	Errors []QueueStatus `json:"error_queues"`
	// Asked says that the management API has answered, so that Holder and Subscribed are known.
	Asked bool `json:"management_api"`
}

// NFrom says how it is known how many partitions there are.
type NFrom string

// How it is known.
const (
	NGiven     NFrom = "given"     // somebody has said so: a flag, a file
	NProcesses NFrom = "processes" // processes that have them
	NConsumers NFrom = "consumers" // the last one that has a consumer
	NQueues    NFrom = "queues"    // all that exist, because none has a consumer
)

// gap is how many partitions in a row are missing behind the last one.
const gap = 3

// PartitionNumbers returns which partitions of a queue exist. known are all queues, or nil: AMQP is
// then asked for each, up to the first few that are missing.
func (b *Broker) PartitionNumbers(ctx context.Context, queue string, known map[string]management.Queue) ([]int, error) {
	var numbers []int
	if known != nil {
		for name := range known {
			if of, i, ok := topology.PartitionOf(name); ok && of == queue {
				numbers = append(numbers, i)
			}
		}
		slices.Sort(numbers)
		return numbers, nil
	}
	for i, missing := 0, 0; missing < gap && i < topology.MaxPartitions; i++ {
		_, err := b.Count(ctx, topology.PartitionQueue(queue, i))
		switch code(err) {
		case amqp.NotFound:
			missing++
			continue
		case 0:
			if err != nil {
				return nil, err
			}
		}
		missing = 0 // it is there, if only somebody else may look
		numbers = append(numbers, i)
	}
	return numbers, nil
}

// InsteadOf returns the partitions that are in the place of a queue that does not exist.
func (b *Broker) InsteadOf(ctx context.Context, queue string) ([]int, error) {
	_, err := b.Count(ctx, queue)
	switch {
	case code(err) == amqp.NotFound:
		return b.PartitionNumbers(ctx, queue, nil)
	case code(err) != 0:
		return nil, nil
	}
	return nil, err
}

// Expect says what is known of the partitions of a queue beforehand.
type Expect struct {
	N      int             // 0 if unknown
	NFrom  NFrom           // who tells N
	Delays []time.Duration // of the retry queues
	Errors []string        // error queues; none is the standard one
}

// Partitions looks at the partitions of a queue. consumers are those of the management API, nil
// without it.
func (b *Broker) Partitions(ctx context.Context, queue string, want Expect, known map[string]management.Queue, consumers []management.Consumer) (Partitions, error) {
	p := Partitions{Queue: queue, All: []Partition{}, Errors: []QueueStatus{}, Asked: consumers != nil}
	numbers, err := b.PartitionNumbers(ctx, queue, known)
	if err != nil {
		return p, err
	}
	for i := range want.N {
		numbers = append(numbers, i)
	}
	slices.Sort(numbers)
	for _, i := range slices.Compact(numbers) {
		one, err := b.partition(ctx, queue, i, want.Delays, known, consumers)
		if err != nil {
			return p, err
		}
		p.All = append(p.All, one)
	}
	p.judge(want)
	names := want.Errors
	if len(names) == 0 {
		names = []string{topology.ErrorQueue(queue)}
	}
	for _, name := range names {
		q, err := b.look(ctx, Expected{Name: name, Role: topology.RoleError}, known)
		if err != nil {
			return p, err
		}
		p.Errors = append(p.Errors, q)
	}
	return p, nil
}

// judge decides how many partitions there are, and what is to be noticed of each.
func (p *Partitions) judge(want Expect) {
	if p.N = want.N; p.N > 0 {
		p.NFrom = want.NFrom
	}
	for i := range p.All {
		if one := &p.All[i]; want.N == 0 && one.State == Present && some(one.Consumers, one.Subscribed) {
			p.N, p.NFrom = one.Number+1, NConsumers
		}
	}
	there := slices.ContainsFunc(p.All, func(one Partition) bool { return one.State != Absent })
	if p.N == 0 && there {
		p.N, p.NFrom = p.All[len(p.All)-1].Number+1, NQueues
	}
	p.fill()
	for i := range p.All {
		p.All[i].judge(p.N)
	}
}

// fill adds those that are missing below N.
func (p *Partitions) fill() {
	has := map[int]bool{}
	for _, one := range p.All {
		has[one.Number] = true
	}
	for i := range p.N {
		if !has[i] {
			p.All = append(p.All, Partition{Number: i, Queue: topology.PartitionQueue(p.Queue, i), State: Absent})
		}
	}
	slices.SortFunc(p.All, func(a, b Partition) int { return cmp.Compare(a.Number, b.Number) })
}

// some says whether one of these numbers is known and above 0.
func some(numbers ...*int) bool {
	return slices.ContainsFunc(numbers, func(n *int) bool { return n != nil && *n > 0 })
}

// Unequal returns by error queue the partitions whose queues dead-letter there, if these are not
// the same.
func Unequal(queue string, known map[string]management.Queue) map[string][]string {
	by := map[string][]string{}
	for _, name := range slices.Sorted(maps.Keys(known)) {
		if of, _, ok := topology.PartitionOf(name); ok && of == queue {
			if to, ok := known[name].Arguments["x-dead-letter-routing-key"].(string); ok {
				by[to] = append(by[to], name)
			}
		}
	}
	if len(by) < 2 {
		return nil
	}
	return by
}
