package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/inspect"
	"github.com/bunnicula-go/bunnicula/topology"
)

// expandConsumers puts its partitions in the place of a queue that was named, does not exist, and
// has some.
func expandConsumers(ctx context.Context, b *inspect.Broker, consumers []inspect.Consumer) (all []inspect.Consumer, err error) {
	for _, c := range consumers {
		numbers, err := b.InsteadOf(ctx, c.Name)
		if err != nil {
			return nil, err
		}
		if len(numbers) == 0 {
			all = append(all, c)
		}
		for _, i := range numbers {
			var delays []time.Duration
			for _, q := range c.Queues {
				if q.Role == topology.RoleRetry {
					delays = append(delays, q.Delay)
				}
			}
			all = append(all, inspect.FromName(topology.PartitionQueue(c.Name, i), delays))
		}
	}
	return all, nil
}

// shareErrors leaves the error queue of partitions with the first of them, so that what is parked
// is counted once.
func shareErrors(all []inspect.Status) []inspect.Status {
	seen := map[string]bool{}
	for i, s := range all {
		if _, _, ok := topology.PartitionOf(s.Consumer); !ok {
			continue
		}
		all[i].Queues = slices.DeleteFunc(s.Queues, func(q inspect.QueueStatus) bool {
			again := q.Role == topology.RoleError && seen[q.Queue]
			seen[q.Queue] = true
			return again
		})
	}
	return all
}

// stand adds the orders that stand for the consumers. Who obeys is for bunnicula control ls.
func (r *statusReport) stand(k orderFacts) {
	r.facts = k
	for _, o := range k.orders {
		if slices.ContainsFunc(r.Consumers, func(s inspect.Status) bool { return meansConsumer(o.Consumer, s.Consumer) }) {
			r.Orders = append(r.Orders, showStanding(o))
		}
	}
}

// joined joins three or more partitions of a queue to one consumer, unless all are wanted. remarks
// are what is to be noticed besides, by queue.
func joined(r statusReport, all bool) (consumers []inspect.Status, remarks map[string]string) {
	remarks = map[string]string{}
	families := map[string][]inspect.Status{}
	for _, s := range r.Consumers {
		if of, _, ok := topology.PartitionOf(s.Consumer); ok {
			families[of] = append(families[of], s)
		}
		if o, ok := r.facts.orderFor(s.Consumer); ok {
			remarks[s.Consumer] = orderNote(showStanding(o), r.At)
		}
	}
	for _, s := range r.Consumers {
		of, _, _ := topology.PartitionOf(s.Consumer)
		family := families[of]
		switch {
		case all || len(family) < 3:
			consumers = append(consumers, s)
		case family[0].Consumer == s.Consumer:
			one, remark := join(of, family)
			consumers = append(consumers, one)
			if o, ok := r.facts.orderFor(of); ok {
				remark = append(remark, orderNote(showStanding(o), r.At))
			}
			remarks[one.Queues[0].Queue] = strings.Join(remark, ", ")
		}
	}
	return consumers, remarks
}

// join adds up the queues of partitions.
func join(queue string, family []inspect.Status) (one inspect.Status, remark []string) {
	one = inspect.Status{Consumer: queue, Queues: []inspect.QueueStatus{{
		Queue: queue, Role: topology.Role(fmt.Sprintf("%d partitions", len(family))), State: inspect.Present,
	}}}
	missing, nobody := 0, 0
	at := map[string]int{} // where a retry queue's delay, or an error queue, is in one
	for _, s := range family {
		for _, q := range s.Queues {
			i := 0
			switch q.Role {
			case topology.RoleMain:
				if q.State == inspect.Absent {
					missing++
				}
				if q.Consumers != nil && *q.Consumers == 0 {
					nobody++
				}
			default:
				key := string(q.Role) + q.Delay
				if q.Role == topology.RoleError {
					key = q.Queue
				}
				if _, ok := at[key]; !ok {
					at[key] = len(one.Queues)
					one.Queues = append(one.Queues, inspect.QueueStatus{Queue: q.Queue, Role: q.Role, Delay: q.Delay, State: q.State})
				}
				i = at[key]
			}
			addUp(&one.Queues[i], q)
		}
	}
	if missing > 0 {
		remark = append(remark, fmt.Sprintf("%d missing", missing))
	}
	if nobody > 0 {
		remark = append(remark, fmt.Sprintf("%d without a consumer", nobody))
	}
	return one, remark
}

// addUp adds the numbers of a queue to a sum.
func addUp(sum *inspect.QueueStatus, q inspect.QueueStatus) {
	for _, n := range []struct {
		to   **int
		more *int
	}{{&sum.Ready, q.Ready}, {&sum.Unacked, q.Unacked}, {&sum.Kept, q.Kept}, {&sum.Consumers, q.Consumers}} {
		if n.more == nil {
			continue
		}
		total := *n.more
		if *n.to != nil {
			total += **n.to
		}
		*n.to = &total
	}
	if q.Oldest != nil && (sum.Oldest == nil || q.Oldest.Before(*sum.Oldest)) {
		sum.Oldest = q.Oldest
	}
	if q.BackBy != nil && (sum.BackBy == nil || q.BackBy.After(*sum.BackBy)) {
		sum.BackBy = q.BackBy
	}
	sum.Problems = append(sum.Problems, q.Problems...)
}
