package outbox

// statements are those of Put and Cancel. Dialect.text says how they are written.
type statements struct {
	plain  insert // a row that has no delay and no job, and needs no other
	any    insert // any row
	needed string // state of the row of After, if it has a job; locks it against being done
	find   string // state of a row, and whether the transaction cannot see all that need it; locks it
	remove string // deletes a row that no held one needs
}

var statementsOf = map[Dialect]*statements{
	Postgres: {
		plain: insertion(`INSERT INTO bunnicula_outbox (id, key, exchange, routing_key, properties, body)
VALUES ($1, $2, $3, $4, $5, $6)`),
		any: insertion(`INSERT INTO bunnicula_outbox (id, key, exchange, routing_key, properties, body, due, state, job, needs)
VALUES ($1, $2, $3, $4, $5, $6, clock_timestamp() + $7::bigint * interval '1 microsecond', $8, $9, $10)`),
		// Nobody who waits for a relay would wait for less than a batch, and if the broker does not
		// answer for 10 s. A relay has locks FOR NO KEY UPDATE, which this one does not wait for.
		needed: needed + ` FOR KEY SHARE`,
		// Only a row of a job can be needed. A transaction with one snapshot does not see what was
		// put since, and a lock on a row that nobody has changed tells it nothing.
		find: `SELECT state, job IS NOT NULL AND current_setting('transaction_isolation') IN ('repeatable read', 'serializable')
FROM bunnicula_outbox WHERE id = $1 FOR UPDATE`,
		remove: remove,
	},
	SQLite: {
		plain: insertion(`INSERT INTO bunnicula_outbox (id, key, exchange, routing_key, properties, body, due, put_at, changed)
VALUES ($1, $2, $3, $4, $5, $6, @now, @now, @now)`),
		any: insertion(`INSERT INTO bunnicula_outbox (id, key, exchange, routing_key, properties, body, due, state, job, needs, put_at, changed)
VALUES ($1, $2, $3, $4, $5, $6, @now + $7, $8, $9, $10, @now, @now)`),
		needed: needed,
		find:   `SELECT state, false FROM bunnicula_outbox WHERE id = $1`,
		remove: remove,
	},
}

// insert is a statement that writes a row. That of a row whose id another one may have changes
// nothing if it is there. PostgreSQL does more for it, so a row with a new id goes without.
type insert struct{ always, unlessThere string }

func insertion(statement string) insert {
	return insert{always: statement, unlessThere: statement + ` ON CONFLICT DO NOTHING`}
}

const (
	needed = `SELECT state FROM bunnicula_outbox WHERE id = $1 AND job IS NOT NULL`
	find   = `SELECT state FROM bunnicula_outbox WHERE id = $1`
	remove = `DELETE FROM bunnicula_outbox WHERE id = $1
AND NOT EXISTS (SELECT 1 FROM bunnicula_outbox n WHERE n.needs = $1 AND n.state = 1)`
)
