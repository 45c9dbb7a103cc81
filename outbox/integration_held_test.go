package outbox_test

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/consumer/consumertest"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/internal/test/pgtest"
	"github.com/bunnicula-go/bunnicula/outbox"
)

// early are rows that are released although what they need is not done.
const early = `SELECT COUNT(*) FROM bunnicula_outbox b JOIN bunnicula_outbox a ON a.id = b.needs WHERE b.state = 0 AND a.state <> 3`

// While a message is handled, others put rows that need it. Each of them finds it done, or is found
// when it is.
func TestARowThatNeedsAnotherIsNeitherHeldForEverNorReleasedEarly(t *testing.T) {
	amqptest.Long(t)
	const rounds, putters = 150, 6
	db := pgtest.DB(t)
	db.SetMaxOpenConns(20)
	box := newBox(t, db, outbox.Postgres)
	q := consumertest.New(t, consumer.Spec{Queue: "orders", Handler: consumer.JSON(outbox.Once(box,
		func(ctx context.Context, tx *sql.Tx, m consumer.Message[string]) consumer.Result {
			pause(2)
			err := box.Put(ctx, tx, "mails", "mail", outbox.ID(m.MessageID+"-own"), outbox.After(m.MessageID))
			if err == nil && rand.N(3) == 0 {
				return consumer.Snooze(time.Minute) // rolled back
			}
			return consumer.ResultOf(err)
		}))})

	over := make(chan struct{})
	var looking sync.WaitGroup
	looking.Go(func() {
		for looks := 0; ; looks++ {
			select {
			case <-over:
				t.Logf("looked %d times", looks)
				return
			default:
			}
			if n := count(t, db, early); n > 0 {
				t.Errorf("%d rows are released early", n)
				return
			}
		}
	})
	kept := 0
	for i := range rounds {
		needed := fmt.Sprint("m", i)
		inTx(t, db, func(tx *sql.Tx) error {
			return box.Put(t.Context(), tx, "orders", "order", outbox.ID(needed), outbox.Job("j"))
		})
		var all sync.WaitGroup
		all.Go(func() {
			for run := q.Deliver("order", consumertest.MessageID(needed)); !run.Result().Acked(); {
				run = q.Next(run)
			}
		})
		for j := range putters {
			rollback := rand.N(4) == 0
			if !rollback {
				kept++
			}
			all.Go(func() {
				pause(4)
				tx, err := db.BeginTx(t.Context(), nil)
				if err != nil {
					t.Error(err)
					return
				}
				defer func() { _ = tx.Rollback() }()
				if err := box.Put(t.Context(), tx, "mails", "mail", outbox.ID(fmt.Sprint(needed, "-", j)), outbox.After(needed)); err != nil {
					t.Error(err)
				}
				pause(2)
				if rollback {
					return
				}
				if err := tx.Commit(); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
	}
	close(over)
	looking.Wait()
	for state, want := range map[outbox.State]int{outbox.Done: rounds, outbox.Waiting: kept + rounds, outbox.Held: 0} {
		if n := count(t, db, `SELECT COUNT(*) FROM bunnicula_outbox WHERE state = $1`, int(state)); n != want {
			t.Errorf("%d rows are %s, want %d", n, state, want)
		}
	}
}

// pause waits for at most so many milliseconds.
func pause(most int) { time.Sleep(rand.N(time.Duration(most) * time.Millisecond)) }
