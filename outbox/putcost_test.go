package outbox_test

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/test/pgtest"
	"github.com/bunnicula-go/bunnicula/outbox"
	"github.com/bunnicula-go/bunnicula/publisher"
)

// order is a payload of some 200 bytes.
type order struct {
	Number   int
	Customer string
	Lines    []string
	At       time.Time
}

// What a Put takes beside its INSERT is the encoding of the payload and of the properties, and for
// an id of the program's that PostgreSQL looks whether it is there.
func TestPutCostsLittleMoreThanABareInsertOfTheSameRow(t *testing.T) {
	measured(t)
	db := pgtest.DB(t)
	box := newBox(t, db, outbox.Postgres)
	for name, option := range map[string]func(id string) publisher.Option{
		"new ids": func(string) publisher.Option { return nil }, "own ids": outbox.ID,
	} {
		t.Run(name, func(t *testing.T) {
			const most = 1.3
			cost := most + 1
			// a busy machine disturbs the longer one more
			for try := 1; try <= 5 && cost > most; try++ {
				cost = putCosts(t, db, box, fmt.Sprint(name, try), option)
				t.Logf("a Put costs %.2f of a bare INSERT", cost)
			}
			if cost > most {
				t.Errorf("a Put costs %.2f of a bare INSERT, want at most %g", cost, most)
			}
		})
	}
	if n := count(t, db, `SELECT COUNT(DISTINCT properties) FROM bunnicula_outbox`); n != 1 {
		t.Errorf("the rows have %d properties, want those of the bare INSERT", n)
	}
}

// putCosts is the median of several rounds. In a round they take turns inside one transaction, so
// neither begin nor commit is in it.

func putCosts(t *testing.T, db *sql.DB, box *outbox.Box, name string, option func(id string) publisher.Option) float64 {
	t.Helper()
	const (
		rounds = 7
		pairs  = 1000
	)
	payload := order{Number: 4711, Customer: "c-4711", Lines: []string{"a chair with four legs", "a table with three", "two lamps, one of them broken"}, At: time.Now()}
	body, err := json.Marshal(payload)
	if err != nil {
		t.Fatal(err)
	}
	properties := []byte(`{"content_type":"application/json","delivery_mode":2,"type":"placed","headers":{"request":"r-4711","tenant":"acme"}}`)
	insert := func(tx *sql.Tx, id string) error {
		_, err := tx.ExecContext(t.Context(), `INSERT INTO bunnicula_outbox (id, key, exchange, routing_key, properties, body) VALUES ($1, $2, $3, $4, $5, $6)`,
			id, "c-4711", "", "orders", properties, body)
		return err
	}
	put := func(tx *sql.Tx, id string) error {
		return box.Put(t.Context(), tx, "orders", payload, option(id), outbox.Key("c-4711"), publisher.Type("placed"),
			publisher.Headers(map[string]any{"request": "r-4711", "tenant": "acme"}))
	}
	var ratios []float64
	for round := range rounds {
		var puts, bare []time.Duration
		inTx(t, db, func(tx *sql.Tx) error {
			for i := range pairs {
				id := fmt.Sprint(name, "-", round, "-", i, "-and-as-long-as-a-uuid")
				times := map[bool]*[]time.Duration{true: &puts, false: &bare}
				// each is the first of two as often
				for _, isPut := range []bool{i%2 == 0, i%2 == 1} {
					do, id := insert, "raw-"+id
					if isPut {
						do, id = put, "put-"+id
					}
					begun := time.Now()
					if err := do(tx, id); err != nil {
						return err
					}
					*times[isPut] = append(*times[isPut], time.Since(begun))
				}
			}
			return nil
		})
		ratios = append(ratios, float64(median(puts))/float64(median(bare)))
		t.Logf("round %d: Put %s, bare INSERT %s, %.2f", round+1, median(puts), median(bare), ratios[round])
	}
	return median(ratios)
}
