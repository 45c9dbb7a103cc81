package outbox

import (
	"context"
	"database/sql"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/applog"
	"github.com/bunnicula-go/bunnicula/internal/foreign"
	"github.com/bunnicula-go/bunnicula/monitoring"
)

// setParked leaves a row alone that is done, as another consumer of the same message may have it.
const setParked = `UPDATE bunnicula_outbox SET state = 4, changed = @now WHERE id = $1 AND job IS NOT NULL AND state IN (0, 2, 6)`

// parkWithin is how long the monitor holds up a consumer's worker at most, for one parked message.
const parkWithin = 2 * time.Second

// Monitor returns a monitor for consumers of rows of a job. When such a message is parked, its row
// is Parked too, so that Box.Job tells. When the message is redriven and handled by Once, its row
// is Done. Module adds it to an app; without fx, give it to consumer.New, by monitoring.Multi if
// there are others.
//
// A parked message costs one statement, for which its worker waits 2 s at most. If that fails, a
// line in the consumer's log says so, and the row remains Sent: the error queue is what counts.
func (b *Box) Monitor() monitoring.Monitor { return parkedMonitor{b} }

type parkedMonitor struct{ box *Box }

func (parkedMonitor) Begin(ctx context.Context, _ monitoring.Delivery) context.Context { return ctx }

func (m parkedMonitor) End(ctx context.Context, d monitoring.Delivery, o monitoring.Outcome) {
	if o.Action != monitoring.Parked || d.MessageIDGiven || checkText("message id", d.MessageID) != nil {
		return
	}
	within, cancel := context.WithTimeout(context.WithoutCancel(ctx), parkWithin)
	defer cancel()
	err := whileBusy(within, parkWithin, func() error {
		return once(within, m.box.db, m.box.dialect, func(tx *sql.Tx) error {
			_, err := tx.ExecContext(within, m.box.dialect.text(setParked), d.MessageID)
			return err
		})
	})
	if err != nil {
		applog.First(applog.Of(ctx)).WarnContext(ctx, "row of a parked message is not marked as parked", "consumer", d.Consumer,
			"message_id", foreign.Line(d.MessageID, longestLogged), "err", foreign.Safe(err))
	}
}
