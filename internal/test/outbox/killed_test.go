package outbox_test

import (
	"flag"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/internal/test/pgtest"
	"github.com/bunnicula-go/bunnicula/outbox"
)

var (
	seeds = flag.Int("seeds", 1, "how many seeds are played on each database")
	first = flag.Uint64("seed", 1, "the first of them")
)

// recommended is what docs/OPERATIONS.md recommends: without it a retry can be late by three
// minutes after a kill.
var recommended = amqptest.Setting{Name: "dead_letter_worker_publisher_confirm_timeout", Value: "5000"}

func TestKilledOnSQLite(t *testing.T) {
	amqptest.Long(t)
	broker := amqptest.StartBroker(t, recommended)
	eachSeed(t, func(t *testing.T, seed uint64) {
		perform(newStage(t, seed, database{outbox.SQLite, filepath.Join(t.TempDir(), "app.db")}, broker, nil))
	})
}

func TestKilledOnPostgres(t *testing.T) {
	amqptest.Long(t)
	broker, server := amqptest.StartBroker(t, recommended), pgtest.Start(t)
	eachSeed(t, func(t *testing.T, seed uint64) {
		perform(newStage(t, seed, database{outbox.Postgres, server.Database(t)}, broker, server))
	})
}

func eachSeed(t *testing.T, play func(*testing.T, uint64)) {
	for i := range *seeds {
		seed := max(1, *first) + uint64(i)
		if !t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) { play(t, seed) }) {
			return // its queues are left for whoever looks
		}
	}
}

// perform breaks everything, lets the rest run out, and judges.
func perform(s *stage) {
	s.t.Helper()
	began := time.Now()
	s.cast("consumer", 2)
	s.appointWitness()
	s.cast("relay", 2)
	s.cast("producer", 2)
	s.pause(300 * time.Millisecond)
	for _, f := range s.plot() {
		s.t.Logf("%5.1fs %s", time.Since(began).Seconds(), f.name)
		f.happen()
		s.pause(time.Duration(100+s.rng.IntN(400)) * time.Millisecond)
	}
	s.end("producer")
	s.cancelRest(s.t.Context())
	s.runOut(time.Minute)
	s.end("relay")
	s.end("consumer")
	v := audit(s.collect())
	s.t.Logf("%5.1fs %s", time.Since(began).Seconds(), v.summary)
	for i, c := range v.complaints {
		if i == 20 {
			s.t.Errorf("and %d more", len(v.complaints)-i)
			break
		}
		s.t.Error(c)
	}
}
