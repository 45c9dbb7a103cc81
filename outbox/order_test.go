package outbox_test

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/outbox"
)

// inversions counts messages that came after a later one of their key, and those that came twice.
func inversions(t *testing.T, all []amqp.Delivery) (inverted, twice int) {
	t.Helper()
	last := map[string]int{}
	for _, d := range all {
		key, text, _ := strings.Cut(d.MessageId, "-")
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatal(err)
		}
		before, there := last[key]
		switch {
		case there && n < before:
			inverted++
		case there && n == before:
			twice++
		}
		last[key] = max(n, before)
	}
	return inverted, twice
}

func TestThreeRelaysKeepTheOrderOfEachKeyAroundAPoisonRow(t *testing.T) {
	for _, keys := range []int{50, 1000} {
		t.Run(fmt.Sprint(keys, " keys"), func(t *testing.T) {
			const rows = 20_000
			r := newReal(t)
			r.fill(rows, keys)
			poison := "7-3"
			if _, err := r.db.Exec(`UPDATE bunnicula_outbox SET routing_key = routing_key || '-nowhere' WHERE id = $1`, poison); err != nil {
				t.Fatal(err)
			}
			for range 3 {
				relay := startRelay(t, r.box, dialed(t), outbox.RelayConfig{MaxAttempts: 4, Backoff: func(int) time.Duration { return 200 * time.Millisecond }})
				defer stopRelay(t, relay)
			}
			behind := rows/keys - 3
			amqptest.Eventually(t, time.Minute, func() bool { return r.left() == behind }, "not all but those behind the poison row are published")
			amqptest.Eventually(t, time.Minute, func() bool {
				return count(t, r.db, `SELECT state FROM bunnicula_outbox WHERE id = $1`, poison) == int(outbox.Failed)
			}, "the poison row has not failed")
			all := amqptest.Drain(t, r.queue)
			if inverted, twice := inversions(t, all); inverted+twice > 0 || len(all) != rows-behind {
				t.Errorf("%d inversions, %d twice, %d messages, want 0, 0, %d", inverted, twice, len(all), rows-behind)
			}
			if _, err := r.db.Exec(`UPDATE bunnicula_outbox SET routing_key = $1, state = 0, attempts = 0 WHERE id = $2`, r.queue, poison); err != nil {
				t.Fatal(err)
			}
			r.empty(time.Minute)
			all = amqptest.Drain(t, r.queue)
			if inverted, twice := inversions(t, all); inverted+twice > 0 || len(all) != behind || all[0].MessageId != poison {
				t.Errorf("then %d inversions, %d twice, %d messages, want 0, 0, %d", inverted, twice, len(all), behind)
			}
		})
	}
}

func TestOrderIsKeptWhileRowsArePut(t *testing.T) {
	const keys, each = 20, 300
	r := newReal(t)
	for range 3 {
		relay := startRelay(t, r.box, dialed(t), outbox.RelayConfig{Batch: 10, Poll: 10 * time.Millisecond})
		defer stopRelay(t, relay)
	}
	var putters sync.WaitGroup
	for k := range keys {
		putters.Go(func() {
			for i := range each {
				put(t, r.box, r.db, r.queue, []string{fmt.Sprint(k, "-", i)}, outbox.Key(fmt.Sprint("key-", k)))
			}
		})
	}
	putters.Wait()
	r.empty(time.Minute)
	all := amqptest.Drain(t, r.queue)
	if inverted, twice := inversions(t, all); inverted+twice > 0 || len(all) != keys*each {
		t.Errorf("%d inversions, %d twice, %d messages", inverted, twice, len(all))
	}
}

func TestAMessageIsNotPublishedAfterItsCancelHasCommitted(t *testing.T) {
	r := newReal(t)
	const rows = 3000
	for i := range 2 {
		relay := startRelay(t, r.box, dialed(t), outbox.RelayConfig{Batch: 20 + i})
		defer stopRelay(t, relay)
	}
	r.fill(rows, 30)
	r.box.Kick()
	cancelled := map[string]bool{}
	for i := rows - 1; i >= 0; i -= 7 { // from the end: a relay comes from the other side
		id := fmt.Sprint(i%30, "-", i/30)
		tx, err := r.db.BeginTx(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		err = r.box.Cancel(t.Context(), tx, id)
		if cErr := tx.Commit(); cErr != nil {
			t.Fatal(cErr)
		}
		if err == nil {
			cancelled[id] = true
		}
	}
	r.empty(time.Minute)
	all := amqptest.Drain(t, r.queue)
	for _, d := range all {
		if cancelled[d.MessageId] {
			t.Errorf("%s was published, and its Cancel had committed", d.MessageId)
		}
	}
	if len(all)+len(cancelled) != rows || len(cancelled) == 0 || len(cancelled) == (rows+6)/7 {
		t.Errorf("%d published and %d cancelled of %d", len(all), len(cancelled), rows)
	}
	if inverted, twice := inversions(t, all); inverted+twice > 0 {
		t.Errorf("%d inversions, %d twice", inverted, twice)
	}
}
