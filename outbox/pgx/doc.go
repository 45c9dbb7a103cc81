// Package pgxoutbox is package outbox for transactions of pgx (github.com/jackc/pgx/v5):
//
//	box, err := pgxoutbox.New(pool)
//	tx, err := pool.Begin(ctx)
//	_, err = tx.Exec(ctx, `INSERT INTO orders ...`)
//	err = box.Put(ctx, tx, "emails", Email{To: o.Email})
//	err = tx.Commit(ctx)
//	box.Kick()
//
// A Box has all that an outbox.Box has. Tables, rows and marks are the same: programs with
// database/sql and with pgx can share a database. A relay takes its Box.Box, so an fx app with
// outbox.Module provides both:
//
//	func NewBox(lc fx.Lifecycle, pool *pgxpool.Pool) (*pgxoutbox.Box, *outbox.Box, error) {
//		box, err := pgxoutbox.New(pool)
//		if err != nil {
//			return nil, nil, err
//		}
//		lc.Append(fx.StartStopHook(box.Migrate, box.Close))
//		return box, box.Box, nil
//	}
package pgxoutbox
