package outbox_test

import (
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/brokertest"
	"github.com/bunnicula-go/bunnicula/outbox"
	"github.com/bunnicula-go/bunnicula/publisher"
	"github.com/bunnicula-go/bunnicula/publisher/publishertest"
)

func TestARelayPublishesWhatWasCommittedOnce(t *testing.T) {
	simulated(t, func(t *testing.T, s *simulation) {
		s.declare("emails")
		r := s.relay(outbox.RelayConfig{})
		defer stopRelay(t, r)
		tx, err := s.db.BeginTx(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.box.Put(t.Context(), tx, "emails", email{"ada"}, outbox.ID("rolled back")); err != nil {
			t.Fatal(err)
		}
		if err := tx.Rollback(); err != nil {
			t.Fatal(err)
		}
		s.put("emails", []string{"a", "b", "c"}, publisher.Header("who", int32(7)), publisher.Type("welcome"))
		time.Sleep(time.Minute)
		all := s.got("emails")
		if ids := idsOf(all); ids != "a b c" {
			t.Fatalf("the queue has %s", ids)
		}
		d := all[0]
		if d.Headers["who"] != int32(7) || d.Type != "welcome" || d.ContentType != "application/json" || string(d.Body) != `"a"` ||
			d.DeliveryMode != amqp.Persistent || time.Since(d.Timestamp) > time.Minute || d.AppId == "" {
			t.Errorf("the message is %+v", d)
		}
		if n := count(t, s.db, `SELECT count(*) FROM bunnicula_outbox`); n != 0 {
			t.Errorf("%d rows are left", n)
		}
	})
}

func TestKickWakesARelayAtOnceAndAPollWithoutIt(t *testing.T) {
	simulated(t, func(t *testing.T, s *simulation) {
		s.declare("emails")
		r := s.relay(outbox.RelayConfig{Poll: time.Hour})
		defer stopRelay(t, r)
		time.Sleep(time.Second)
		s.put("emails", []string{"a"})
		time.Sleep(time.Minute)
		if got := s.ids("emails"); got != "" {
			t.Fatalf("it was published without a look: %s", got)
		}
		s.box.Kick()
		time.Sleep(time.Millisecond)
		if got := s.ids("emails"); got != "a" {
			t.Errorf("after Kick there is %q", got)
		}
		s.put("emails", []string{"b"})
		time.Sleep(time.Hour)
		if got := s.ids("emails"); got != "b" {
			t.Errorf("after Poll there is %q", got)
		}
	})
}

func TestADelayedMessageIsNotPublishedEarlyAndHoldsItsKey(t *testing.T) {
	simulated(t, func(t *testing.T, s *simulation) {
		s.declare("emails")
		r := s.relay(outbox.RelayConfig{})
		defer stopRelay(t, r)
		s.put("emails", []string{"later"}, publisher.Delay(time.Minute), outbox.Key("k"))
		s.put("emails", []string{"behind"}, outbox.Key("k"))
		s.put("emails", []string{"free"})
		time.Sleep(time.Minute - time.Second)
		if got := s.ids("emails"); got != "free" {
			t.Errorf("before it is due there is %q", got)
		}
		time.Sleep(3 * time.Second)
		if got := s.ids("emails"); got != "later behind" {
			t.Errorf("when it is due there is %q", got)
		}
	})
}

func TestFlushPublishesWhatIsDueAndNoMore(t *testing.T) {
	bothDialects(t, func(t *testing.T, db *sql.DB, dialect outbox.Dialect) {
		box := newBox(t, db, dialect)
		var ids, keyed []string
		for i := range 1200 {
			ids = append(ids, fmt.Sprintf("free-%04d", i))
		}
		put(t, box, db, "emails", ids)
		for i := range 700 {
			id := fmt.Sprintf("keyed-%04d", i)
			keyed = append(keyed, id)
			put(t, box, db, "letters", []string{id}, outbox.Key(fmt.Sprint("key-", i%7)))
		}
		put(t, box, db, "emails", []string{"later"}, publisher.Delay(time.Hour))
		var rec publishertest.Recorder
		f, err := box.Flush(t.Context(), &rec)
		if err != nil || f.Published != 1900 || f.Refused != 0 {
			t.Fatalf("Flush: %+v, %v", f, err)
		}
		got := func(queue string) (all []string) {
			for _, m := range rec.Sent(queue) {
				all = append(all, m.MessageId)
			}
			slices.Sort(all)
			return all
		}
		if !slices.Equal(got("emails"), ids) || !slices.Equal(got("letters"), keyed) {
			t.Error("not each was published once")
		}
		if n := count(t, db, `SELECT count(*) FROM bunnicula_outbox`); n != 1 {
			t.Errorf("%d rows are left, want the delayed one", n)
		}
	})
}

func TestARowThatIsRefusedBacksOffHoldsItsKeyAndFailsInTheEnd(t *testing.T) {
	bothDialects(t, func(t *testing.T, db *sql.DB, dialect outbox.Dialect) {
		box := newBox(t, db, dialect)
		put(t, box, db, "good", []string{"a1"}, outbox.Key("a"))
		put(t, box, db, "nowhere", []string{"a2"}, outbox.Key("a"))
		put(t, box, db, "good", []string{"a3"}, outbox.Key("a"))
		put(t, box, db, "good", []string{"b1", "b2"}, outbox.Key("b"))
		rec := noQueue("nowhere")
		for attempt := 1; attempt <= 15; attempt++ {
			f, err := box.Flush(t.Context(), rec)
			if err != nil || f.Refused != 1 {
				t.Fatalf("attempt %d: %+v %v", attempt, f, err)
			}
			var attempts, state int
			var text string
			if err := db.QueryRow(`SELECT attempts, state, error FROM bunnicula_outbox WHERE id = 'a2'`).Scan(&attempts, &state, &text); err != nil {
				t.Fatal(err)
			}
			want := outbox.Waiting
			if attempt == 15 {
				want = outbox.Failed
			}
			if attempts != attempt || outbox.State(state) != want || !strings.Contains(text, "no queue is bound") {
				t.Fatalf("attempt %d: %d attempts, %s, %s", attempt, attempts, outbox.State(state), text)
			}
			// time passes
			if _, err := db.Exec(`UPDATE bunnicula_outbox SET due = put_at WHERE id = 'a2'`); err != nil {
				t.Fatal(err)
			}
		}
		if f, err := box.Flush(t.Context(), rec); err != nil || f != (outbox.Flushed{}) {
			t.Errorf("%+v %v", f, err)
		}
		var ids []string
		for _, m := range rec.Messages() {
			ids = append(ids, m.MessageId)
		}
		if got := strings.Join(ids, " "); got != "a1 b1 b2" {
			t.Errorf("published: %s", got)
		}
	})
}

// noQueue is a Publisher that has all queues but this one.
func noQueue(name string) *publishertest.Recorder {
	return &publishertest.Recorder{ErrFor: func(key string) error {
		if key == name {
			return publisher.ErrUnroutable
		}
		return nil
	}}
}

func TestStartSaysThatTheTablesAreMissing(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *brokertest.Broker) {
		db := sqlite(t)
		defer func() { _ = db.Close() }()
		box, err := outbox.New(db, outbox.SQLite)
		if err != nil {
			t.Fatal(err)
		}
		r, err := outbox.NewRelay(box, b.Connection(), outbox.RelayConfig{})
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Start(t.Context()); !errors.Is(err, outbox.ErrNoTables) {
			t.Errorf("the error is %v", err)
		}
		stopRelay(t, r)
	})
}
