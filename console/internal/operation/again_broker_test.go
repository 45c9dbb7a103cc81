package operation_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/console/internal/operation"
	"github.com/bunnicula-go/bunnicula/errorqueue"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/internal/wire"
	"github.com/bunnicula-go/bunnicula/topology"
)

// fail parks messages of the main queue again, with this error.
func (s *stage) fail(failures map[string]string) {
	ch := amqptest.Channel(s.t)
	deliveries, err := ch.Consume(s.queue, "", false, false, false, false, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	var over sync.WaitGroup
	over.Go(func() {
		for d := range deliveries {
			if group := failures[d.MessageId]; group != "" {
				h := d.Headers
				h[wire.Reason], h[wire.Error], h[wire.ErrorGroup], h[wire.Queue] = "timeout", "failed: "+group, group, s.queue
				_ = ch.Publish("", s.queue+"-error", true, false, amqp.Publishing{DeliveryMode: amqp.Persistent, MessageId: d.MessageId, Headers: h, Body: d.Body})
			}
			_ = d.Ack(false)
		}
	})
	s.t.Cleanup(func() {
		_ = ch.Close()
		over.Wait()
	})
}

// Ten of twenty are redriven as a proof. The second batch stops the operation: one has failed as
// before, and one otherwise. After a fix another operation goes on with the rest.
func TestAProofStopsAndSaysWhetherItIsTheSameFailure(t *testing.T) {
	t.Parallel()
	s := newStage(t, variant{}, topology.Quorum)
	s.park(0, 20)
	s.fail(map[string]string{id(1): "0123456789abcdef", id(2): "another"})
	var mu sync.Mutex
	var settled []string
	passes, last := 0, 0
	r, err := operation.Open(operation.Config{
		Dir: t.TempDir(), Queue: opener(s.conn), Log: quiet,
		Settled: func(_, mark string) {
			mu.Lock()
			defer mu.Unlock()
			settled = append(settled, mark)
		},
		Observe: func(string) func(*errorqueue.Message) {
			return func(m *errorqueue.Message) {
				mu.Lock()
				defer mu.Unlock()
				if m.Position == 1 {
					passes++
				}
				last = m.Position
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close(context.Background())
	marks := s.list()
	i := operation.Intent{
		ID: "proof", Kind: operation.Redrive, Queue: s.queue + "-error", All: true, Count: 20, Within: 20,
		Batches: []int{1, 9}, Watch: 1200 * time.Millisecond,
	}
	state := s.run(r, i)
	if state.Status != operation.Failed || !state.FailedAgain || state.Report.Moved != 10 || len(state.Batches) != 2 {
		t.Fatalf("%+v", state)
	}
	got := []string{}
	for _, a := range state.Batches[1].Again {
		got = append(got, fmt.Sprint(a.ID, " ", a.Earlier.Error, " > ", a.Now.Error, ": ", a.Same))
	}
	want := []string{
		id(1) + " dial tcp: connection refused > failed: 0123456789abcdef: yes",
		id(2) + " dial tcp: connection refused > failed: another: no",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if state.Batches[0].Moved != 1 || !state.Batches[0].Watched || state.Batches[1].Moved != 9 {
		t.Errorf("%+v", state.Batches)
	}
	mu.Lock()
	wantMarks := []string{}
	for n := range 10 {
		wantMarks = append(wantMarks, marks[id(n)])
	}
	if !slices.Equal(settled, wantMarks) || passes < 3 || last == 0 {
		t.Errorf("%d marks are settled, and %d readings were observed", len(settled), passes)
	}
	settled = nil
	mu.Unlock()

	time.Sleep(1100 * time.Millisecond) // the header of a redrive has whole seconds
	i.ID, i.RedriveID, i.GoesOn, i.Count, i.Within = "on", "proof", "proof", 10, 12
	if state = s.run(r, i); state.Status != operation.Done || state.Report.Moved != 10 {
		t.Errorf("going on: %+v", state)
	}
	if left := s.list(); len(left) != 2 || left[id(1)] == "" || left[id(2)] == "" {
		t.Errorf("parked are %v", left)
	}
}
