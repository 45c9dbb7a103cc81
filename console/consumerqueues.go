package console

import (
	"github.com/bunnicula-go/bunnicula/internal/inspect"
	"github.com/bunnicula-go/bunnicula/topology"
)

// queueRow is a queue of a consumer.
type queueRow struct {
	Key       string
	Name      string
	Role      string
	Delay     string
	State     inspect.State
	Ready     *int
	Unacked   *int
	Consumers *int
	Unserved  bool
	Oldest    moment
	BackBy    moment
	Problems  []string
	Link      string // of an error queue, "" if it may not be opened
}

// partitionRow is a partition of the queue.
type partitionRow struct {
	Key                       string
	Number                    int
	Link                      string
	Name                      string
	State                     inspect.State
	Ready, Unacked, Consumers *int
	Unserved                  bool
	Oldest                    moment
	Retrying                  int
	Quarantine                *int
	Problems                  []string
}

// queues adds the queues and partitions, and says whether there are some.
func (a *answer) queues(v view, l *look, d *consumerData) (some bool) {
	for _, s := range l.consumers {
		switch {
		case s.Consumer == d.Queue:
			some = true
			for _, q := range s.Queues {
				d.Rows = append(d.Rows, a.queueRow(v, q))
			}
		case ofQueue(d.Queue, s.Consumer):
			some = true
			a.partition(v, s, d)
		}
	}
	return some
}

func (a *answer) queueRow(v view, q inspect.QueueStatus) queueRow {
	row := queueRow{Key: keyOf("queue", q.Queue), Name: q.Queue, Role: string(q.Role), Delay: q.Delay, State: q.State, Ready: q.Ready, Unacked: q.Unacked, Consumers: q.Consumers, Problems: q.Problems}
	row.Unserved = q.Role == topology.RoleMain && q.Consumers != nil && *q.Consumers == 0
	if q.Oldest != nil {
		row.Oldest = v.Time(*q.Oldest)
	}
	if q.BackBy != nil {
		row.BackBy = v.Time(*q.BackBy)
	}
	if q.Role == topology.RoleError && q.State != inspect.Absent && a.user.may(See, q.Queue) {
		row.Link = v.Link("q", q.Queue)
	}
	return row
}

// partition adds the row of a partition. All of them park in one error queue, which is listed once.
func (a *answer) partition(v view, s inspect.Status, d *consumerData) {
	_, number, _ := topology.PartitionOf(s.Consumer)
	row := partitionRow{Key: keyOf("queue", s.Consumer), Number: number, Name: s.Consumer, Link: v.Link("c", s.Consumer)}
	for _, q := range s.Queues {
		one := a.queueRow(v, q)
		row.Problems = append(row.Problems, q.Problems...)
		switch q.Role {
		case topology.RoleMain:
			row.State, row.Ready, row.Unacked, row.Consumers, row.Unserved, row.Oldest = q.State, q.Ready, q.Unacked, q.Consumers, one.Unserved, one.Oldest
		case topology.RoleRetry:
			if q.Ready != nil {
				row.Retrying += *q.Ready
			}
		case topology.RoleQuarantine:
			row.Quarantine = q.Ready
		case topology.RoleError:
			listed := false
			for _, r := range d.Rows {
				listed = listed || r.Name == q.Queue
			}
			if !listed {
				d.Rows = append(d.Rows, one)
			}
		}
	}
	d.Parts = append(d.Parts, row)
}
