package outbox_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/internal/test/pgtest"
)

// killed is the exit code of a process after kill -9.
const killed = 137

// stage is one run. Its methods are for the test's goroutine.
type stage struct {
	t        *testing.T
	seed     uint64
	rng      *rand.Rand
	database database
	broker   *amqptest.Broker
	server   *pgtest.Server // nil on SQLite
	prefix   string
	proxies  map[string]*amqptest.Proxy // by part
	slots    []*slot
	db       *sql.DB
	queues   *amqp.Channel
}

// slot is a process, or the one that was started in its place.
type slot struct {
	part       string
	number     int
	generation int
	process    *amqptest.Process
	ending     bool // it is not started again
}

func newStage(t *testing.T, seed uint64, d database, broker *amqptest.Broker, server *pgtest.Server) *stage {
	t.Helper()
	s := &stage{
		t: t, seed: seed, rng: rand.New(rand.NewPCG(seed, 0)), database: d, broker: broker, server: server,
		prefix: fmt.Sprintf("kills-%s-%d", d.Dialect, seed), proxies: map[string]*amqptest.Proxy{},
	}
	if err := d.prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	var err error
	if s.db, err = d.open(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.db.Close() })
	for _, part := range []string{"relay", "consumer"} {
		s.proxies[part] = amqptest.NewProxy(t, broker.URL)
	}
	return s
}

// cast starts so many processes of a part.
func (s *stage) cast(part string, n int) {
	s.t.Helper()
	for i := range n {
		slot := &slot{part: part, number: i}
		s.slots = append(s.slots, slot)
		s.start(slot)
	}
	for _, slot := range s.of(part) {
		slot.process.Await(readyLine, 30*time.Second)
	}
}

func (s *stage) of(part string) (slots []*slot) {
	for _, slot := range s.slots {
		if slot.part == part {
			slots = append(slots, slot)
		}
	}
	return slots
}

func (s *stage) start(slot *slot) {
	s.t.Helper()
	slot.generation++
	task := task{
		Part: slot.part, Name: fmt.Sprintf("%s%d-%d", slot.part[:1], slot.number, slot.generation),
		Database: s.database, Prefix: s.prefix, Seed: s.seed<<16 + uint64(slot.number)<<8 + uint64(slot.generation),
	}
	if proxy := s.proxies[slot.part]; proxy != nil {
		task.URL = proxy.URL()
	}
	text, err := json.Marshal(task)
	if err != nil {
		s.t.Fatal(err)
	}
	slot.process = amqptest.StartProcess(s.t, []string{taskVariable + "=" + string(text)})
}

// revive starts again what has died. A process may only end by kill -9, from here or by its own
// hand.
func (s *stage) revive() {
	s.t.Helper()
	for _, slot := range s.slots {
		select {
		case <-slot.process.Ended():
			if slot.ending {
				continue
			}
			if code := slot.process.Wait(0); code != killed {
				s.t.Errorf("%s %d has ended with %d:\n%s", slot.part, slot.number, code, slot.process.Output())
			}
			s.start(slot)
		default:
		}
	}
}

// pause lets the processes work for a while.
func (s *stage) pause(d time.Duration) {
	s.t.Helper()
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		s.revive()
	}
}

// end asks the processes of a part to end, and waits for it. They may still die by their own hand.
func (s *stage) end(part string) {
	s.t.Helper()
	for _, slot := range s.of(part) {
		slot.ending = true
		slot.process.Terminate()
	}
	for _, slot := range s.of(part) {
		if code := slot.process.Wait(30 * time.Second); code != 0 && code != killed {
			s.t.Errorf("%s %d has ended with %d:\n%s", part, slot.number, code, slot.process.Output())
		}
	}
}

// runOut waits until nothing moves any more: nothing is to be published, and what was published is
// handled or parked.
func (s *stage) runOut(within time.Duration) {
	s.t.Helper()
	var open, missing int
	for end := time.Now().Add(within); time.Now().Before(end); s.pause(100 * time.Millisecond) {
		open = s.count(`SELECT count(*) FROM bunnicula_outbox WHERE state NOT IN (2, 3, 4, 5)`)
		missing = s.count(`SELECT count(*) FROM ledger WHERE kind IN ('work', 'mail')`) - s.count(`SELECT count(*) FROM effects`) +
			max(0, s.count(`SELECT count(*) FROM ledger WHERE kind = 'poison'`)-s.depth(s.prefix+"-work-error"))
		if open == 0 && missing == 0 {
			return
		}
	}
	// the audit says which
	s.t.Errorf("after %s %d rows wait, and %d messages are not handled", within, open, missing)
}

func (s *stage) count(query string) (n int) {
	s.t.Helper()
	if err := s.db.QueryRowContext(s.t.Context(), query).Scan(&n); err != nil {
		s.t.Fatalf("%s: %v", query, err)
	}
	return n
}

// cancelRest takes back what its producer did not live to take back.
func (s *stage) cancelRest(ctx context.Context) {
	s.t.Helper()
	box, ids := s.box(), []string{}
	s.query(`SELECT id FROM ledger WHERE kind = 'far' AND cancelled = 0`, func(scan func(...any) error) error {
		var id string
		err := scan(&id)
		ids = append(ids, id)
		return err
	})
	for _, id := range ids {
		tx, err := s.db.BeginTx(ctx, nil)
		if err != nil {
			s.t.Fatal(err)
		}
		if err := cancel(ctx, box, tx, id); err != nil {
			s.t.Errorf("cancel %s: %v", id, err)
		}
		if err := tx.Commit(); err != nil {
			s.t.Error(err)
		}
	}
}
