package outbox_test

import (
	"database/sql"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/outbox"
	"github.com/bunnicula-go/bunnicula/publisher"
)

func TestAMessageThatIsNotPublishedYetCanBeCancelled(t *testing.T) {
	bothDialects(t, func(t *testing.T, db *sql.DB, dialect outbox.Dialect) {
		box := newBox(t, db, dialect)
		set := func(tx *sql.Tx, id string, state outbox.State) error {
			_, err := tx.ExecContext(t.Context(), `UPDATE bunnicula_outbox SET state = $2 WHERE id = $1`, id, int(state))
			return err
		}
		inTx(t, db, func(tx *sql.Tx) error {
			return errors.Join(
				box.Put(t.Context(), tx, "emails", 1, outbox.ID("delayed"), publisher.Delay(time.Hour)),
				box.Put(t.Context(), tx, "emails", 1, outbox.ID("needed"), outbox.Job("j")),
				box.Put(t.Context(), tx, "emails", 1, outbox.ID("held"), outbox.After("needed")),
				box.Put(t.Context(), tx, "emails", 1, outbox.ID("failed")), set(tx, "failed", outbox.Failed),
				box.Put(t.Context(), tx, "emails", 1, outbox.ID("sent"), outbox.Job("j")), set(tx, "sent", outbox.Sent),
			)
		})
		inTx(t, db, func(tx *sql.Tx) error {
			for _, row := range []struct {
				id, want string
				is       error
			}{
				{"none", `outbox: cancel message "none": the outbox has no such message: it was published, or never put`, outbox.ErrUnknown},
				{"sent", "it was published, and is sent", outbox.ErrUnknown},
				{"needed", `outbox: cancel message "needed": other messages need it`, outbox.ErrNeeded},
				{"nul\x00", "the id has a NUL byte or is not UTF-8", outbox.ErrUnknown},
			} {
				if err := box.Cancel(t.Context(), tx, row.id); !errors.Is(err, row.is) || !strings.Contains(err.Error(), row.want) {
					t.Errorf("got %v, want %s", err, row.want)
				}
			}
			return errors.Join(
				box.Cancel(t.Context(), tx, "delayed"), box.Cancel(t.Context(), tx, "failed"),
				// in this order
				box.Cancel(t.Context(), tx, "held"), box.Cancel(t.Context(), tx, "needed"),
			)
		})
		if n := count(t, db, `SELECT COUNT(*) FROM bunnicula_outbox`); n != 1 {
			t.Errorf("%d rows are left, want the one that was sent", n)
		}
	})
}
