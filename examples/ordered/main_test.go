package main

import (
	"context"
	"log/slog"
	"strings"
	"testing"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/topology"
)

func TestAllAccountsAddUp(t *testing.T) {
	log := slog.Default()
	slog.SetDefault(slog.New(slog.DiscardHandler))
	defer slog.SetDefault(log)
	var suffixes []string
	for i := range partitions {
		suffixes = append(suffixes, topology.PartitionQueue("", i))
	}
	queue := amqptest.Queue(t, "example-ordered", suffixes...)
	cfg := connection.Config{URL: amqptest.URL(t), Name: "ordered"}
	for range 2 { // the second run finds the queues of the first
		if err := run(t.Context(), cfg, queue); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range append(suffixes, "-error") {
		if n := amqptest.Depth(t, queue+name); n != 0 {
			t.Errorf("%d messages are left in %s", n, queue+name)
		}
	}
}

// booked books these payments in this order, and returns what the account of three others says.
func booked(payments ...Payment) (said string, err error) {
	want := []Payment{{"run", "ada", 1, 5}, {"run", "ada", 2, -3}, {"run", "ben", 1, 7}}
	b := NewBooks(want)
	for _, p := range payments {
		b.Book(context.Background(), consumer.Message[Payment]{Payload: p})
	}
	var text strings.Builder
	err = b.Account(&text)
	return text.String(), err
}

func TestAnAccountThatIsWrongIsNoticed(t *testing.T) {
	one, two, ben, old := Payment{"run", "ada", 1, 5}, Payment{"run", "ada", 2, -3}, Payment{"run", "ben", 1, 7}, Payment{"earlier", "ada", 1, 9}
	for name, test := range map[string]struct {
		payments []Payment
		want     string
		adds     bool
	}{
		"in order":       {[]Payment{one, ben, two}, "ada   2 payments, 2 cents, 0 failed once, 0 came twice: in order", true},
		"one came twice": {[]Payment{one, ben, one, two}, "1 came twice: in order", true},
		"of an earlier":  {[]Payment{old, one, two, ben}, "ada   2 payments, 2 cents", true},
		"out of order":   {[]Payment{two, one, ben}, "WRONG: want 2 payments, 2 cents; 1 came before their turn", false},
		"one is missing": {[]Payment{one, ben}, "ada   1 payments, 5 cents, 0 failed once, 0 came twice: WRONG", false},
		"none of ben":    {[]Payment{one, two}, "ben   0 payments", false},
	} {
		if said, err := booked(test.payments...); !strings.Contains(said, test.want) || (err == nil) != test.adds {
			t.Errorf("%s: %v\n%s", name, err, said)
		}
	}
}
