package outbox_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/outbox"
	"github.com/bunnicula-go/bunnicula/publisher"
)

func TestWhileTheBrokerIsAwayPutGoesOnAndNothingCountsAsAnAttempt(t *testing.T) {
	simulated(t, func(t *testing.T, s *simulation) {
		s.declare("emails")
		r := s.relay(outbox.RelayConfig{MaxAttempts: 1})
		defer stopRelay(t, r)
		s.put("emails", []string{"a"})
		time.Sleep(2 * time.Second)
		s.broker.Restart(time.Minute)
		s.put("emails", []string{"b"})
		s.box.Kick()
		time.Sleep(30 * time.Second)
		s.put("emails", []string{"c"})
		time.Sleep(20 * time.Second)
		if got := rowsOf(t, s.db, `SELECT id || state || attempts FROM bunnicula_outbox ORDER BY id`); got != "b00 c00" {
			t.Errorf("while it is away the rows are %s", got)
		}
		time.Sleep(time.Minute)
		if got := s.ids("emails"); got != "a b c" {
			t.Errorf("published: %s", got)
		}
	})
}

func TestWhileTheBrokerTakesNoMessagesNothingIsTaken(t *testing.T) {
	simulated(t, func(t *testing.T, s *simulation) {
		s.declare("emails")
		r := s.relay(outbox.RelayConfig{})
		defer stopRelay(t, r)
		s.put("emails", []string{"a"})
		time.Sleep(2 * time.Second)
		s.broker.Alarm(time.Minute)
		s.put("emails", []string{"b", "c"}, outbox.Key("k"))
		time.Sleep(50 * time.Second)
		// a broker may take one before it blocks
		if got := rowsOf(t, s.db, `SELECT id || state FROM bunnicula_outbox ORDER BY id`); got != "b0 c0" && got != "c0" {
			t.Errorf("the rows are %s", got)
		}
		time.Sleep(time.Minute)
		if got := strings.Fields(s.ids("emails")); !slices.Equal(slices.Compact(got), []string{"a", "b", "c"}) {
			t.Errorf("published: %s", got)
		}
	})
}

func TestAFullQueueIsTriedAgainAndNeverGivenUp(t *testing.T) {
	simulated(t, func(t *testing.T, s *simulation) {
		s.declare("emails", "letters")
		r := s.relay(outbox.RelayConfig{MaxAttempts: 2, Poll: 10 * time.Second})
		defer stopRelay(t, r)
		s.broker.Full("emails", 10*time.Minute)
		s.put("emails", []string{"a1"}, outbox.Key("a"))
		s.put("letters", []string{"a2"}, outbox.Key("a"))
		s.put("letters", []string{"b"})
		time.Sleep(9 * time.Minute)
		if got := s.ids("letters"); got != "b" {
			t.Errorf("what is for another queue, and not behind it: %q", got)
		}
		if got := rowsOf(t, s.db, `SELECT id || state FROM bunnicula_outbox ORDER BY id`); got != "a10 a20" {
			t.Errorf("the rows are %s", got)
		}
		time.Sleep(8 * time.Minute)
		if got := s.ids("emails") + " " + s.ids("letters"); got != "a1 a2" {
			t.Errorf("published: %s", got)
		}
	})
}

func TestAMissingExchangeHoldsNobodyElse(t *testing.T) {
	simulated(t, func(t *testing.T, s *simulation) {
		s.declare("emails")
		r := s.relay(outbox.RelayConfig{MaxAttempts: 3})
		defer stopRelay(t, r)
		s.put("key", []string{"refused"}, publisher.Exchange("missing"))
		var ids []string
		for i := range 50 {
			ids = append(ids, fmt.Sprint(i))
		}
		s.put("emails", ids)
		time.Sleep(time.Minute)
		got := strings.Fields(s.ids("emails"))
		slices.Sort(got)
		slices.Sort(ids)
		if !slices.Equal(slices.Compact(got), ids) {
			t.Errorf("published: %s", got)
		}
		var attempts, state int
		var text string
		if err := s.db.QueryRow(`SELECT attempts, state, error FROM bunnicula_outbox`).Scan(&attempts, &state, &text); err != nil {
			t.Fatal(err)
		}
		if attempts != 3 || outbox.State(state) != outbox.Failed || !strings.Contains(text, "404") {
			t.Errorf("the row has %d attempts, is %s, and says %s", attempts, outbox.State(state), text)
		}
	})
}

func TestAStoppedRelayGivesItsLeaseToTheNextAtOnce(t *testing.T) {
	simulated(t, func(t *testing.T, s *simulation) {
		s.declare("emails")
		first, second := s.relay(outbox.RelayConfig{}), s.relay(outbox.RelayConfig{})
		defer stopRelay(t, second)
		for i := range 20 {
			s.put("emails", []string{fmt.Sprint(i)})
			time.Sleep(time.Second)
			if i == 10 {
				stopRelay(t, first)
			}
		}
		time.Sleep(time.Second)
		if n := len(strings.Fields(s.ids("emails"))); n != 20 {
			t.Errorf("%d messages", n)
		}
	})
}

func TestTheLeaseOfADeadRelayIsTakenOverWithItsRows(t *testing.T) {
	simulated(t, func(t *testing.T, s *simulation) {
		s.declare("emails")
		s.put("emails", []string{"a", "b"})
		until := time.Now().Add(30 * time.Second).UnixMicro()
		if _, err := s.db.Exec(`INSERT INTO bunnicula_relay (one, holder, until) VALUES (1, 'dead', $1)`, until); err != nil {
			t.Fatal(err)
		}
		if _, err := s.db.Exec(`UPDATE bunnicula_outbox SET state = 6 WHERE id = 'a'`); err != nil {
			t.Fatal(err)
		}
		if _, err := s.box.Flush(t.Context(), s.broker.Publisher()); err == nil || !strings.Contains(err.Error(), "a relay is publishing") {
			t.Errorf("Flush: %v", err)
		}
		r := s.relay(outbox.RelayConfig{})
		time.Sleep(29 * time.Second)
		if got := s.ids("emails"); got != "" {
			t.Errorf("while the lease holds %s is published", got)
		}
		time.Sleep(2 * time.Second)
		if got := s.ids("emails"); got != "a b" {
			t.Errorf("published: %q", got)
		}
		stopRelay(t, r)
		if n := count(t, s.db, `SELECT count(*) FROM bunnicula_relay`); n != 0 {
			t.Error("the stopped relay has kept its lease")
		}
	})
}

// A relay that was frozen for longer than its lease has lost its rows to another one, and may not
// write down what became of them: the other one publishes them again.
func TestWhoLostTheLeaseSettlesNothing(t *testing.T) {
	simulated(t, func(t *testing.T, s *simulation) {
		s.declare("emails")
		s.put("emails", []string{"a"})
		slow := &late{Publisher: s.broker.Publisher(), before: func() {
			if _, err := s.db.Exec(`UPDATE bunnicula_relay SET holder = 'other', until = $1`, time.Now().Add(time.Minute).UnixMicro()); err != nil {
				t.Error(err)
			}
		}}
		f, err := s.box.Flush(t.Context(), slow)
		if err == nil || !strings.Contains(err.Error(), "another relay has taken the lease") || f.Published != 0 {
			t.Errorf("%+v %v", f, err)
		}
		if n := count(t, s.db, `SELECT count(*) FROM bunnicula_outbox WHERE state = 6`); n != 1 {
			t.Error("the row was settled")
		}
		if n := count(t, s.db, `SELECT count(*) FROM bunnicula_relay WHERE holder = 'other'`); n != 1 {
			t.Error("the other one's lease is gone")
		}
	})
}

// late calls before when a message was published, and before its Confirmation is returned.
type late struct {
	publisher.Publisher
	before func()
}

func (l *late) PublishAsync(ctx context.Context, key string, payload any, opts ...publisher.Option) (publisher.Confirmation, error) {
	defer l.before()
	return l.Publisher.PublishAsync(ctx, key, payload, opts...)
}

func TestAStopWithoutTimeLeavesNothingTaken(t *testing.T) {
	bothDialects(t, func(t *testing.T, db *sql.DB, dialect outbox.Dialect) {
		box := newBox(t, db, dialect)
		put(t, box, db, "emails", []string{"a", "b", "c"})
		ctx, cancel := context.WithCancel(t.Context())
		stuck := &late{Publisher: unconfirmed{}, before: cancel}
		f, err := box.Flush(ctx, stuck)
		if !errors.Is(err, context.Canceled) || f.Published != 0 {
			t.Fatalf("%+v %v", f, err)
		}
		query := `SELECT id FROM bunnicula_outbox WHERE state = 0 AND attempts = 0 ORDER BY id`
		if dialect == outbox.Postgres {
			query += ` FOR UPDATE NOWAIT`
		}
		if got := rowsOf(t, db, query); got != "a b c" {
			t.Errorf("free are %s", got)
		}
	})
}

// unconfirmed is a Publisher whose broker never answers.
type unconfirmed struct{ publisher.Publisher }

func (unconfirmed) PublishAsync(context.Context, string, any, ...publisher.Option) (publisher.Confirmation, error) {
	return never{}, nil
}

type never struct{}

func (never) Done() <-chan struct{} { return nil }
func (never) Err() error            { return nil }
func (never) MessageID() string     { return "" }

func TestWhatOnceHasMarkedMeanwhileStaysMarked(t *testing.T) {
	simulated(t, func(t *testing.T, s *simulation) {
		s.declare("emails")
		s.put("emails", []string{"done", "sent"}, outbox.Job("j"))
		quick := &late{Publisher: s.broker.Publisher(), before: func() {
			if _, err := s.db.Exec(`UPDATE bunnicula_outbox SET state = 3 WHERE id = 'done'`); err != nil {
				t.Error(err)
			}
		}}
		if f, err := s.box.Flush(t.Context(), quick); err != nil || f.Published != 2 {
			t.Fatalf("%+v %v", f, err)
		}
		if got := rowsOf(t, s.db, `SELECT id || state FROM bunnicula_outbox ORDER BY id`); got != "done3 sent2" {
			t.Errorf("the rows are %s", got)
		}
	})
}

func TestManyRowsBehindAPoisonRowDoNotHideTheOthers(t *testing.T) {
	bothDialects(t, func(t *testing.T, db *sql.DB, dialect outbox.Dialect) {
		box := newBox(t, db, dialect)
		put(t, box, db, "nowhere", []string{"poison"}, outbox.Key("a"))
		var behind, good []string
		for i := range 5000 {
			behind = append(behind, fmt.Sprint("behind-", i))
		}
		put(t, box, db, "emails", behind, outbox.Key("a"))
		for i := range 20 {
			good = append(good, fmt.Sprint("good-", i))
			put(t, box, db, "emails", good[i:], outbox.Key(fmt.Sprint("b-", i%3)))
		}
		rec := noQueue("nowhere")
		f, err := box.Flush(t.Context(), rec)
		if err != nil || f != (outbox.Flushed{Published: 20, Refused: 1}) {
			t.Fatalf("%+v %v", f, err)
		}
		// And when the poison row backs off, the window of what is due first has nothing to take.
		put(t, box, db, "emails", []string{"last"}, outbox.Key("c"))
		if f, err := box.Flush(t.Context(), rec); err != nil || f.Published != 1 {
			t.Errorf("%+v %v", f, err)
		}
	})
}
