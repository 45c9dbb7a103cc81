package partitions_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/publisher"
)

// probe publishes a message to each partition, and returns who has handled it: by partition, the
// name of a process.
func (s *stage) probe() []string {
	s.t.Helper()
	s.probes++
	var probes []message
	for i := range s.partitions {
		probes = append(probes, message{s.keyOf(i), s.probes})
	}
	for _, m := range probes {
		if err := s.pub.Publish(s.t.Context(), s.queue, m, publisher.Partition(m.Key, s.partitions), publisher.MessageID(m.id())); err != nil {
			s.t.Fatal(err)
		}
	}
	owners := make([]string, s.partitions)
	amqptest.Eventually(s.t, 30*time.Second, func() bool {
		all, err := readLedger(s.ledger)
		if err != nil {
			s.t.Fatal(err)
		}
		for _, e := range all {
			for i, m := range probes {
				if e.what == begun && e.message == m { // the last: a cut may have it handled twice
					owners[i] = e.process
				}
			}
		}
		return !slices.Contains(owners, "")
	}, "not all partitions are handled: %v", &owners)
	return owners
}

// keyOf returns a key of a partition.
func (s *stage) keyOf(partition int) string {
	want := s.mains()[partition]
	for i := 0; ; i++ {
		if key := fmt.Sprint("key", i); s.of(key) == want {
			return key
		}
	}
}

// owners returns by partition who has to have it: those with the highest priority of all processes.
func (s *stage) owners() [][]string {
	s.t.Helper()
	owners, highest := make([][]string, s.partitions), make([]int, s.partitions)
	for _, in := range s.slots {
		if in.process == nil {
			continue
		}
		for _, line := range in.process.Lines() {
			words := strings.Fields(line)
			if len(words) != 3 || words[0] != priorityLine {
				continue
			}
			i, err := strconv.Atoi(words[1][strings.LastIndex(words[1], ".p")+2:])
			if err != nil {
				s.t.Fatal(err)
			}
			priority, err := strconv.Atoi(words[2])
			if err != nil {
				s.t.Fatal(err)
			}
			switch {
			case len(owners[i]) == 0 || priority > highest[i]:
				owners[i], highest[i] = []string{in.name()}, priority
			case priority == highest[i]:
				owners[i] = append(owners[i], in.name())
			}
		}
	}
	return owners
}

// balances waits until each partition is where it belongs, and returns after how long.
func (s *stage) balances(event string) time.Duration {
	s.t.Helper()
	began := time.Now()
	for {
		has, wants := s.probe(), s.owners()
		wrong := 0
		for i := range has {
			if !strings.Contains(" "+strings.Join(wants[i], " ")+" ", " "+has[i]+" ") {
				wrong++
			}
		}
		if wrong == 0 {
			count := map[string]int{}
			for _, name := range has {
				count[name]++
			}
			took := time.Since(began)
			s.t.Logf("%-10s balanced within %s: %v", event, took.Round(time.Millisecond), count)
			return took
		}
		if time.Since(began) > 10*time.Second {
			s.t.Errorf("%s: after 10 s %d partitions are not where they belong: they are with %v, want %v", event, wrong, has, wants)
			return time.Since(began)
		}
	}
}

// balancePlan is 16 partitions and four processes.
var balancePlan = plan{seed: 1, variant: block, partitions: 16, processes: 4}

func TestPartitionsGoToTheProcessWithTheHighestPriority(t *testing.T) {
	if !amqptest.AtLeast(t, 4, 0) {
		t.Skip("RabbitMQ before 4.0 ignores the priorities of single active consumers: see the test below")
	}
	amqptest.Long(t)
	t.Parallel()
	s := newStage(t, balancePlan, amqptest.URL(t), nil)
	s.join(nil).await()
	s.balances("one")
	for range 3 {
		s.join(nil)
	}
	for _, in := range s.slots {
		in.await()
	}
	worst := s.balances("four")
	for _, what := range []struct {
		event  string
		happen func(*slot)
	}{
		{"leaves", func(in *slot) { s.end(in) }},
		{"joins", func(in *slot) { s.join(in).await() }},
		{"killed", func(in *slot) { in.process.Kill(); in.process = nil }},
		{"joins", func(in *slot) { s.join(in).await() }},
		{"cut", func(in *slot) { in.proxy.Cut() }},
	} {
		what.happen(s.slots[1])
		worst = max(worst, s.balances(what.event))
	}
	s.end(s.slots...)
	if worst > 5*time.Second {
		t.Errorf("it took %s until all was balanced again", worst)
	}
}

func TestTheFirstProcessKeepsAllPartitionsBeforeRabbitMQ4(t *testing.T) {
	if amqptest.AtLeast(t, 4, 0) {
		t.Skip("from RabbitMQ 4.0 on, priorities count: see the test above")
	}
	amqptest.Long(t)
	t.Parallel()
	s := newStage(t, balancePlan, amqptest.URL(t), nil)
	has := func(name, event string) {
		t.Helper()
		for i, owner := range s.probe() {
			if owner != name && (name != "" || owner == "p0-1") {
				t.Errorf("%s: %s has partition %d, want %s", event, owner, i, name)
			}
		}
	}
	s.join(nil).await()
	has("p0-1", "alone")
	for range 3 {
		s.join(nil).await()
	}
	has("p0-1", "three have joined")
	s.end(s.slots[0])
	has("", "the first has stopped")
	s.end(s.slots...)
}

// Of 16 partitions the busiest of four processes has 6.1 in the mean, where 4 is fair, and in 3.8 %
// of all cases somebody has none.
func TestPrioritiesBalanceAsWellAsTheDesignSays(t *testing.T) {
	const rounds, processes, partitions = 2000, 4, 16
	busiest, idle := 0, 0
	for range rounds {
		var highest [partitions]int
		var owner [partitions]int
		for p := range processes {
			spec := consumer.Spec{Queue: "q", Handler: consumer.JSON((&hands{}).handle)}
			for i, s := range consumer.Partitioned(partitions, spec) {
				if p == 0 || s.Priority > highest[i] {
					highest[i], owner[i] = s.Priority, p
				}
			}
		}
		var count [processes]int
		most := 0
		for _, p := range owner {
			count[p]++
			most = max(most, count[p])
		}
		busiest += most
		for _, n := range count {
			if n == 0 {
				idle++
				break
			}
		}
	}
	mean, alone := float64(busiest)/rounds, float64(idle)/rounds
	t.Logf("16 partitions over 4 processes: the busiest has %.2f, somebody has none in %.1f %%", mean, 100*alone)
	if mean < 5.8 || mean > 6.4 || alone > 0.06 {
		t.Errorf("the busiest has %.2f in the mean, want 6.1; somebody has none in %.1f %%, want 3.8", mean, 100*alone)
	}
}
