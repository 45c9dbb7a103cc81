package control

import (
	"fmt"
	"slices"
	"testing"

	"github.com/bunnicula-go/bunnicula/topology"
)

// A pattern fits a queue's partitions as well as the queue: the order for the queue is enough, or
// one for 1024 partitions would be for too many names.
func TestAnOrderForAQueueNamesPartitionsThatHaveOrdersOfTheirOwn(t *testing.T) {
	p := Process{ID: "1", Consumers: []Member{{Name: "mails", Queue: "mails"}, {Name: "ledger", Queue: "orders.p01", Partitions: "orders"}, {Name: "books.p02", Queue: "books"}}}
	for i := range topology.MaxPartitions {
		name := topology.PartitionQueue("orders", i)
		p.Consumers = append(p.Consumers, Member{Name: name, Queue: name, Partitions: "orders"})
	}
	for _, row := range []struct {
		want, standing, targets []string
	}{
		{[]string{"*"}, nil, []string{"books.p02", "mails", "orders"}},
		{[]string{"orders*"}, nil, []string{"orders"}},
		{[]string{"orders", "orders.p07"}, nil, []string{"orders"}},
		{[]string{"orders.p100*"}, nil, namesOf(1000, 1010)},
		{[]string{"orders"}, []string{"orders.p03", "ledger", "mails"}, []string{"ledger", "orders", "orders.p03"}},
		{[]string{"ledger"}, []string{"orders"}, []string{"ledger"}},
		{[]string{"books.p02"}, []string{"books"}, []string{"books.p02"}},
	} {
		got, err := Command{Consumers: row.want}.targets([]Process{p}, row.standing)
		if err != nil || !slices.Equal(got, row.targets) {
			t.Errorf("%v while %v stand is for %v, want %v; %v", row.want, row.standing, got, row.targets, err)
		}
	}
}

func namesOf(from, to int) (names []string) {
	for i := from; i < to; i++ {
		names = append(names, fmt.Sprintf("orders.p%d", i))
	}
	return append([]string{"orders.p100"}, names...)
}
