package pipeline_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/internal/test/connecttest"
	"github.com/bunnicula-go/bunnicula/pipeline"
	"github.com/bunnicula-go/bunnicula/publisher"
)

// The job of the measurement: so many items, of which each becomes so many messages, of which each
// becomes so many rows.
const (
	speedAccounts = 10
	speedRows     = 50
)

// speedRow is the payload of each message.
type speedRow struct {
	Account string `json:"account"`
	Line    int    `json:"line"`
	Cents   int    `json:"cents"`
	Text    string `json:"text"`
}

// speedOutput is the nth output of a message.
func speedOutput(in speedRow, n int) speedRow {
	return speedRow{Account: in.Account, Line: n, Cents: 100 + n, Text: "to somebody, by card, for the purchase of something or other"}
}

// TestSpeed measures a pipeline of three stages beside the same work written by hand on the raw
// client: decode, publish the outputs with confirms and a window, ack. The pipeline runs with
// reports, and without them, because its messages are of no job. All are run in turns, and ratios
// are taken to the mean of the raw runs before and after. SPEED_ROUNDS, SPEED_ITEMS (500 rows each)
// and SPEED_SLOTS, the concurrency of each stage, say how much of it. "make pipeline-speed" runs
// it, on a machine that does nothing else.
func TestSpeed(t *testing.T) {
	amqptest.Long(t)
	if amqptest.Raced() {
		t.Skip("the race detector takes most of the time: make pipeline-speed")
	}
	s := newSpeed(t)
	_, _ = s.ours(true), s.raw() // the first of each makes queues and fills caches
	var raws []float64
	rates, ratios := map[string][]float64{}, map[string][]float64{}
	before := s.raw()
	for range envNumber("SPEED_ROUNDS", 9) {
		for _, name := range []string{withoutReports, withReports} {
			rate, after := s.ours(name == withReports), s.raw()
			rates[name] = append(rates[name], rate)
			ratios[name] = append(ratios[name], 2*rate/(before+after))
			raws, before = append(raws, after), after
		}
	}
	t.Logf("%d slots a stage: raw client %6.0f messages/s", s.slots, middle(raws))
	for _, name := range []string{withoutReports, withReports} {
		t.Logf("pipeline %s %6.0f messages/s, %.2f of it (%.2f to %.2f)", name, middle(rates[name]), middle(ratios[name]), slices.Min(ratios[name]), slices.Max(ratios[name]))
	}
	t.Logf("reports leave %.2f of the rate", middle(ratios[withReports])/middle(ratios[withoutReports]))
	if ratio := middle(ratios[withoutReports]); ratio < 0.9 {
		t.Errorf("the pipeline reaches %.2f of the raw client, want at least 0.9", ratio)
	}
}

const (
	withReports    = "with reports   "
	withoutReports = "without reports"
)

func envNumber(name string, otherwise int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return n
	}
	return otherwise
}

func middle(all []float64) float64 {
	all = slices.Sorted(slices.Values(all))
	return all[len(all)/2]
}

type speed struct {
	t                    *testing.T
	conn                 *connection.Connection
	name                 string
	items, slots         int
	branches, accts, end string // the queues

	done atomic.Int64 // messages that were acked
	all  chan struct{}
}

func newSpeed(t *testing.T) *speed {
	t.Helper()
	name, q := namesOf(t, "branches", "accounts", "rows")
	return &speed{t: t, conn: connecttest.New(t, connection.Config{}), name: name, items: envNumber("SPEED_ITEMS", 30), slots: envNumber("SPEED_SLOTS", 8), branches: q[0], accts: q[1], end: q[2]}
}

// messages is how many are handled in one run.
func (s *speed) messages() int64 {
	return int64(s.items * (1 + speedAccounts + speedAccounts*speedRows))
}

// handled counts a message that was acked.
func (s *speed) handled() {
	if s.done.Add(1) == s.messages() {
		close(s.all)
	}
}

// measure starts a job and returns how many messages a second were handled until the last one was.
func (s *speed) measure(what string, start func()) float64 {
	s.t.Helper()
	s.done.Store(0)
	s.all = make(chan struct{})
	began := time.Now()
	start()
	select {
	case <-s.all:
	case <-time.After(2 * time.Minute):
		s.t.Fatalf("%s: %d of %d messages are handled", what, s.done.Load(), s.messages())
	}
	return float64(s.messages()) / time.Since(began).Seconds()
}

// counted is the outermost middleware.
func (s *speed) counted(next consumer.Handler) consumer.Handler {
	return func(ctx context.Context, d consumer.Delivery) consumer.Result {
		result := next(ctx, d)
		if result.Acked() {
			s.handled()
		}
		return result
	}
}

// ours is the rate of a pipeline.
func (s *speed) ours(reports bool) float64 {
	s.t.Helper()
	pub, err := publisher.New(s.conn, publisher.Config{}, quiet())
	if err != nil {
		s.t.Fatal(err)
	}
	bank := newPlantWith(s.t, s.conn, pub, pub.Stop, pipeline.Config{Name: s.name})
	defer func() { bank.stop() }() // consume changes it
	settings := func(spec *consumer.Spec) {
		spec.Concurrency, spec.Use = s.slots, []consumer.Middleware{s.counted}
	}
	each := func(n int) func(context.Context, consumer.Message[speedRow], pipeline.Emit[speedRow]) consumer.Result {
		return func(_ context.Context, in consumer.Message[speedRow], emit pipeline.Emit[speedRow]) consumer.Result {
			for i := range n {
				if err := emit(speedOutput(in.Payload, i)); err != nil {
					return consumer.Retry(err)
				}
			}
			return consumer.Ack()
		}
	}
	bank.consume(s.end, pipeline.Sink(bank.Pipeline, func(context.Context, consumer.Message[speedRow]) consumer.Result { return consumer.Ack() }), settings)
	bank.consume(s.accts, pipeline.Stage(bank.Pipeline, s.end, each(speedRows)), settings)
	bank.consume(s.branches, pipeline.Stage(bank.Pipeline, s.accts, each(speedAccounts)), settings)
	return s.measure("ours", func() {
		if !reports {
			s.publish(pub)
			return
		}
		_, err := pipeline.Start(s.t.Context(), bank.Pipeline, s.branches, slices.Values(s.firsts()))
		if err != nil {
			s.t.Fatal(err)
		}
	})
}

func (s *speed) firsts() []speedRow {
	all := make([]speedRow, s.items)
	for i := range all {
		all[i].Account = fmt.Sprint("account ", i)
	}
	return all
}

// publish publishes the items as messages of no job.
func (s *speed) publish(pub publisher.Publisher) {
	s.t.Helper()
	var all []publisher.Message
	for _, first := range s.firsts() {
		all = append(all, publisher.Message{RoutingKey: s.branches, Payload: first})
	}
	if err := pub.PublishBatch(s.t.Context(), all...); err != nil {
		s.t.Fatal(err)
	}
}

func encoded(v any) []byte {
	body, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return body
}
