//go:build unix

package faults_test

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/publisher"
)

// mix says how many messages of each behaviour there are.
type mix map[string]int

// shuffled lists the behaviours, each as often as the mix has it, in an order that is the same each
// time.
func (m mix) shuffled() []string {
	var all []string
	for _, do := range slices.Sorted(maps.Keys(m)) {
		behaviourOf(do) // panics early for an unknown behaviour
		all = append(all, slices.Repeat([]string{do}, m[do])...)
	}
	random := rand.New(rand.NewPCG(1, 2))
	random.Shuffle(len(all), func(i, k int) { all[i], all[k] = all[k], all[i] })
	return all
}

// posting is what the publisher knows of one message. The message is confirmed if the publish has
// ended without an error.
type posting struct {
	do    string
	queue string
	began time.Time
	ended time.Time // zero until the publish has ended
	err   error
	gone  bool // an operator has deleted the queue that may have had the message
}

func (p posting) confirmed() bool { return !p.ended.IsZero() && p.err == nil && !p.gone }

// posters is how many goroutines publish, each with one message in flight.
const posters = 8

// account publishes a lane's messages, and knows which of them were confirmed.
type account struct {
	lane    string
	queues  []string
	patient time.Duration // the timeout of one Publish
	conn    *connection.Connection
	pub     *publisher.Client

	mu       sync.Mutex
	postings []posting // by number

	jobs     chan string
	posting  sync.WaitGroup // the posters; close waits for them
	feeding  sync.WaitGroup // publish and stream; closing waits for them
	streams  context.Context
	cancel   context.CancelFunc
	awaiting atomic.Int64 // messages that are not published yet, or in flight
	flows    atomic.Int64 // streams that run
}

func newAccount(t testing.TB, lane string, cfg connection.Config, queues ...string) *account {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	conn, err := connection.New(cfg, log)
	if err != nil {
		t.Fatal(err)
	}
	pub, err := publisher.New(conn, publisher.Config{}, log)
	if err != nil {
		t.Fatal(err)
	}
	a := &account{lane: lane, queues: queues, patient: 20 * time.Second, conn: conn, pub: pub, jobs: make(chan string)}
	a.streams, a.cancel = context.WithCancel(context.Background())
	for range posters {
		a.posting.Go(func() {
			for do := range a.jobs {
				a.post(do)
				a.awaiting.Add(-1)
			}
		})
	}
	return a
}

// publish publishes the messages of a mix in the background.
func (a *account) publish(m mix) {
	all := m.shuffled()
	a.awaiting.Add(int64(len(all)))
	a.feeding.Go(func() {
		for _, do := range all {
			a.jobs <- do
		}
	})
}

// stream publishes so many messages a second in the background, until endStreams. A publisher that
// falls behind does not catch up.
func (a *account) stream(perSecond int, m mix) {
	all := m.shuffled()
	a.flows.Add(1)
	a.feeding.Go(func() {
		defer a.flows.Add(-1)
		tick := time.NewTicker(time.Second / time.Duration(perSecond))
		defer tick.Stop()
		for i := 0; ; i++ {
			select {
			case <-tick.C:
			case <-a.streams.Done():
				return
			}
			a.awaiting.Add(1)
			select {
			case a.jobs <- all[i%len(all)]:
			case <-a.streams.Done():
				a.awaiting.Add(-1)
				return
			}
		}
	})
}

// flowing says whether there are more messages to publish.
func (a *account) flowing() bool { return a.flows.Load() > 0 || a.awaiting.Load() > 0 }

// post publishes one message as an application does, and records the outcome.
func (a *account) post(do string) { a.postTo("", do) }

// postTo is post to one queue, or, if queue is "", to the next one in turn. It returns the
// message's number, or -1 if the message was not confirmed.
func (a *account) postTo(queue, do string) int {
	n, queue := a.begin(do, queue)
	m := compose(a.lane, n, do)
	ctx, cancel := context.WithTimeout(context.Background(), a.patient)
	defer cancel()
	err := a.pub.Publish(ctx, queue, m.body, publisher.MessageID(m.id), publisher.Headers(m.headers))
	a.end(n, err)
	if err != nil {
		return -1
	}
	return n
}

// begin records that a message is about to be published to this queue, or, if queue is "", to the
// next one in turn.
func (a *account) begin(do, queue string) (int, string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	n := len(a.postings)
	if queue == "" {
		queue = a.queues[n%len(a.queues)]
	}
	a.postings = append(a.postings, posting{do: do, queue: queue, began: time.Now()})
	return n, queue
}

// end records the outcome of a publish.
func (a *account) end(n int, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	p := &a.postings[n]
	p.ended, p.err = time.Now(), err
}

// endStreams stops all streams, and returns when all their messages have been published.
func (a *account) endStreams() {
	a.cancel()
	a.feeding.Wait()
}

// close ends the publishing for good.
func (a *account) close() error {
	a.endStreams()
	close(a.jobs)
	a.posting.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return errors.Join(a.pub.Stop(ctx), a.conn.Stop(ctx))
}

// get returns what is known of one message now. It is false if the account has not published that
// message.
func (a *account) get(n int) (posting, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if n < 0 || n >= len(a.postings) {
		return posting{}, false
	}
	return a.postings[n], true
}

// all returns what is known of each message now.
func (a *account) all() []posting {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.postings)
}
