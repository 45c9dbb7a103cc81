package outbox_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/applog"
	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/outbox"
)

func TestTheMonitorHoldsUpAWorkerForTwoSecondsAtMost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := bareSQLite(t)
		defer func() { _ = db.Close() }()
		box := newBox(t, db, outbox.SQLite)
		tx, err := db.BeginTx(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = tx.Rollback() }()
		if _, err := tx.ExecContext(t.Context(), `DELETE FROM bunnicula_outbox`); err != nil {
			t.Fatal(err)
		}
		var log bytes.Buffer
		ctx, cancel := context.WithCancel(applog.With(t.Context(), slog.New(slog.NewTextHandler(&log, nil))))
		cancel() // that of a handler has ended
		began := time.Now()
		box.Monitor().End(ctx, monitoring.Delivery{Consumer: "orders", MessageID: "m1"}, monitoring.Outcome{Action: monitoring.Parked})
		if took := time.Since(began); took < time.Second || took > 2*time.Second+100*time.Millisecond {
			t.Errorf("it took %s while SQLite was busy", took)
		}
		if !strings.Contains(log.String(), `level=WARN msg="row of a parked message is not marked as parked" consumer=orders message_id=m1 err=`) {
			t.Errorf("the log says %q", log.String())
		}
	})
}
