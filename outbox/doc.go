// Package outbox puts messages into the same database transaction as the data that they belong to,
// and handles a message in the same transaction as what its handler writes.
//
// A message that is published beside a transaction can be lost, or be about data that was rolled
// back. [Box.Put] writes it into a table instead, inside your transaction. A relay publishes what
// was committed, with confirms, and deletes it:
//
//	box, err := outbox.New(db, outbox.Postgres) // or outbox.SQLite
//	err = box.Migrate(ctx)
//
//	tx, err := db.BeginTx(ctx, nil)
//	_, err = tx.ExecContext(ctx, `INSERT INTO orders ...`)
//	err = box.Put(ctx, tx, "emails", Email{To: o.Email})
//	err = tx.Commit()
//	box.Kick() // the relay looks now rather than at its next poll
//
// The promise: a message is published if and only if its transaction commits. It is published at
// least once, and always with the same id.
//
// In the handler of a consumer, Once writes what the handler writes and the mark that the message
// was handled in one transaction. Job and After make jobs of messages.
//
// The package imports no driver. Your program does: any for PostgreSQL (package outbox/pgx has a
// Box for transactions of pgx), and any for SQLite. Open SQLite with WAL, with a busy timeout, and
// with transactions that begin immediate, because one that reads first and writes then can fail
// when another one has written meanwhile. With modernc.org/sqlite that is:
//
//	db, err := sql.Open("sqlite", "file:app.db?_txlock=immediate"+
//		"&_pragma=journal_mode(WAL)&_pragma=busy_timeout(10000)")
package outbox
