package consumer_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/simulated"
	"github.com/bunnicula-go/bunnicula/topology"
	"github.com/bunnicula-go/bunnicula/use"
)

func TestPartitionedMakesASpecForEachPartition(t *testing.T) {
	specs := consumer.Partitioned(3, consumer.Spec{Queue: "orders", Name: "shop", Handler: always(consumer.Ack())})
	other := consumer.Partitioned(3, consumer.Spec{Queue: "orders", Handler: always(consumer.Ack())})
	if len(specs) != 3 {
		t.Fatalf("%d Specs", len(specs))
	}
	differ := false
	for i, s := range specs {
		p, err := s.Plan()
		if err != nil {
			t.Fatal(err)
		}
		if want := topology.PartitionQueue("orders", i); p.Queue != want || p.ErrorQueue != "orders-error" || !p.SingleActive || s.Concurrency != 1 || s.Prefetch != 1 || s.Name != topology.PartitionQueue("shop", i) {
			t.Errorf("Spec %d: %+v, name %q, concurrency %d, prefetch %d", i, p, s.Name, s.Concurrency, s.Prefetch)
		}
		differ = differ || s.Priority != other[i].Priority
	}
	if !differ {
		t.Error("two processes have the same priorities")
	}
}

func TestAPriorityThatIsSetIsThatOfAllPartitions(t *testing.T) {
	for _, want := range []int{1, -7} {
		for _, s := range consumer.Partitioned(8, consumer.Spec{Queue: "orders", Priority: want, Handler: always(consumer.Ack())}) {
			if s.Priority != want || s.Prefetch != 0 { // the usual one
				t.Errorf("%s has priority %d and prefetch %d, want %d and none", s.Queue, s.Priority, s.Prefetch, want)
			}
		}
	}
}

func TestPartitionedRefusesWhatKeepsNoOrder(t *testing.T) {
	for want, change := range map[string]func(n *int, s *consumer.Spec){
		"n is 0, want 1 to 1024":                      func(n *int, _ *consumer.Spec) { *n = 0 },
		"n is 1025, want 1 to 1024":                   func(n *int, _ *consumer.Spec) { *n = 1025 },
		"Concurrency is 4, want 1":                    func(_ *int, s *consumer.Spec) { s.Concurrency = 4 },
		"Priority is 128, want -128 to 127":           func(_ *int, s *consumer.Spec) { s.Priority = 128 },
		"Bindings has 1, want none":                   func(_ *int, s *consumer.Spec) { s.Bindings = []topology.Bind{{Exchange: "x"}} },
		`QueueType is "classic", want "quorum"`:       func(_ *int, s *consumer.Spec) { s.QueueType = topology.Classic },
		"Scheme is Bunnicula":                         func(_ *int, s *consumer.Spec) { s.Scheme = topology.Bunnicula },
		`Queue is "orders.p07", which is a partition`: func(_ *int, s *consumer.Spec) { s.Queue = "orders.p07" },
		`Queue is "", want a name`:                    func(_ *int, s *consumer.Spec) { s.Queue = "" },
		"the longest allowed has 255":                 func(_ *int, s *consumer.Spec) { s.Queue = strings.Repeat("q", 253) },
	} {
		n, s := 4, consumer.Spec{Queue: "orders", Handler: always(consumer.Ack())}
		change(&n, &s)
		var errs []error
		for _, s := range consumer.Partitioned(n, s) {
			_, err := consumer.New(nil, s, nil, quietLog)
			errs = append(errs, err)
		}
		if err := errors.Join(errs...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	changed := consumer.Partitioned(2, consumer.Spec{Queue: "orders", Handler: always(consumer.Ack())})[1]
	changed.Concurrency = 2
	if _, err := consumer.New(nil, changed, nil, quietLog); err == nil || !strings.Contains(err.Error(), "SingleActive true and Concurrency 2, want true and 1") {
		t.Errorf("got %v for a Spec that was changed", err)
	}
}

func TestAGroupRefusesWhatWantsAQueueOfAPartition(t *testing.T) {
	orders := consumer.Spec{Queue: "orders", Backoff: []time.Duration{time.Minute}, Handler: always(consumer.Ack())}
	for want, others := range map[string][]consumer.Spec{
		`"orders.p03" and "other" both consume queue "orders.p03": call Partitioned once for queue "orders"`: {{Queue: "orders.p03", Name: "other", Handler: always(consumer.Ack())}},
		`"orders.p00" and "orders.p00" both consume queue "orders.p00": call Partitioned once`:               consumer.Partitioned(2, orders),
		`queue "orders.p01-retry-1m": it is the retry queue of one and the error`:                            {{Queue: "b", ErrorQueue: "orders.p01-retry-1m", Handler: always(consumer.Ack())}},
		"": {{Queue: "orders", Handler: always(consumer.Ack())}}, // the partitions' error queue is its own too
	} {
		var all []*consumer.Consumer
		for _, s := range append(consumer.Partitioned(4, orders), others...) {
			c, err := consumer.New(nil, s, nil, quietLog)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, c)
		}
		if _, err := consumer.NewGroup(all...); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

// inOrderLab has one partition, and a handler that notes its calls and fails for "bad".
func inOrderLab(t *testing.T, o simulated.Options, pause time.Duration, run func(l *lab, spec consumer.Spec, calls func() []string)) {
	t.Helper()
	inLab(t, o, func(l *lab) {
		var mu sync.Mutex
		var all []string
		began := time.Now()
		spec := consumer.Partitioned(1, consumer.Spec{
			Queue: "q", MaxRetries: consumer.NoRetries, Timeout: time.Hour, Use: []consumer.Middleware{use.InPlace(3, pause)},
			Handler: func(_ context.Context, d consumer.Delivery) consumer.Result {
				mu.Lock()
				defer mu.Unlock()
				all = append(all, d.MessageID+" "+time.Since(began).Round(time.Second).String())
				if d.MessageID == "bad" {
					return consumer.Retry(errors.New("no"))
				}
				return consumer.Ack()
			},
		})[0]
		run(l, spec, func() []string {
			mu.Lock()
			defer mu.Unlock()
			return slices.Clone(all)
		})
	})
}

func TestAParkedMessageLetsItsPartitionGoOn(t *testing.T) {
	inOrderLab(t, simulated.Options{}, time.Second, func(l *lab, spec consumer.Spec, calls func() []string) {
		l.start(l.process("p"), spec)
		l.publish(spec.Queue, "one", "bad", "two")
		time.Sleep(time.Minute)
		if want := []string{"one 0s", "bad 0s", "bad 1s", "bad 2s", "two 2s"}; !slices.Equal(calls(), want) {
			t.Errorf("calls %v, want %v", calls(), want)
		}
		l.wantDepths(map[string]int{spec.Queue: 0, "q-error": 1})
	})
}

// If the connection were lost before the park is confirmed, the message would come back behind the
// next one.
func TestTheNextMessageOfAPartitionWaitsUntilTheOneBeforeIsParked(t *testing.T) {
	late := simulated.Options{Faults: func(s simulated.Step) simulated.Fault {
		if s.Kind == "publish" && s.Queue == "q-error" {
			return simulated.Fault{Kind: simulated.LateConfirm, For: 7 * time.Second}
		}
		return simulated.Fault{}
	}}
	inOrderLab(t, late, time.Second, func(l *lab, spec consumer.Spec, calls func() []string) {
		spec.Prefetch = 10 // the next one is here already
		l.start(l.process("p"), spec)
		l.publish(spec.Queue, "bad", "two")
		time.Sleep(time.Minute)
		if want := []string{"bad 0s", "bad 1s", "bad 2s", "two 9s"}; !slices.Equal(calls(), want) {
			t.Errorf("calls %v, want %v", calls(), want)
		}
	})
}

func TestAStopDuringAPauseKeepsThePlaceOfTheMessage(t *testing.T) {
	inOrderLab(t, simulated.Options{}, 20*time.Second, func(l *lab, spec consumer.Spec, calls func() []string) {
		first := l.start(l.process("first"), spec)
		l.publish(spec.Queue, "bad", "two")
		time.Sleep(5 * time.Second)
		began := time.Now()
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		l.must(first.Stop(ctx))
		if took := time.Since(began); took > time.Second {
			t.Errorf("the stop took %s", took)
		}
		if all := l.sim.Messages(spec.Queue); len(all) != 2 || all[0].MessageId != "bad" || all[0].Headers["retry-attempts"] != nil {
			t.Errorf("the queue has %v", all)
		}
		l.start(l.process("second"), spec)
		time.Sleep(time.Hour)
		if want := []string{"bad 0s", "bad 5s", "bad 25s", "bad 45s", "two 45s"}; !slices.Equal(calls(), want) {
			t.Errorf("calls %v, want %v", calls(), want)
		}
	})
}

func TestStoppingIsNeverOutsideOfAHandler(t *testing.T) {
	if consumer.Stopping(t.Context()) != nil {
		t.Error("a context of no handler has it")
	}
}
