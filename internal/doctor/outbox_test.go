package doctor

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/outboxlook"
	"github.com/bunnicula-go/bunnicula/outbox"
)

// withOutbox returns facts of a healthy broker and a healthy outbox.
func withOutbox(t *testing.T) Facts {
	t.Helper()
	f := healthy(t)
	f.Outbox = &Outbox{Facts: outboxlook.Facts{
		Shown: "postgres://db/shop", Dialect: outbox.Postgres, Stats: outbox.Stats{Waiting: 3, Delayed: 2, Held: 2, Sent: 1}, Free: 30 * time.Second,
		Waits: []outboxlook.Wait{
			{Rows: 2, ID: "first", State: outbox.Sent}, {Rows: 1, Key: "a", ID: "delayed", State: outbox.Waiting, Until: time.Minute},
		},
		Targets: map[outboxlook.Target]int{{RoutingKey: "emails"}: 5, {Exchange: "shop", RoutingKey: "k"}: 1},
		Apart:   -time.Second,
		Vacuum:  &outboxlook.Vacuum{Tables: []outboxlook.Table{{Name: "bunnicula_outbox", Live: 10, Dead: 90_000}, {Name: "bunnicula_inbox"}}, Oldest: time.Minute},
	}}
	return f
}

func outboxFindings(f Facts) (found []Finding) {
	for _, one := range Diagnose(f) {
		if strings.HasPrefix(one.Check, "outbox-") {
			found = append(found, one)
		}
	}
	return found
}

func TestNothingIsSaidOfAHealthyOutbox(t *testing.T) {
	for _, f := range []Facts{withOutbox(t), healthy(t)} {
		if found := outboxFindings(f); len(found) != 0 {
			t.Errorf("%+v", found)
		}
	}
}

// Each row breaks one fact. The result is exactly that one finding.
func TestEachThingThatIsWrongWithAnOutboxIsFound(t *testing.T) {
	emails := outboxlook.Target{RoutingKey: "emails"}
	for name, test := range map[string]struct {
		broken   func(*Outbox)
		severity Severity
		check    string
		problem  string
		do       string // a part of it
	}{
		"no tables":        {func(o *Outbox) { o.Tables = fmt.Errorf("a: %w", outbox.ErrNoTables); o.Free = time.Hour }, Serious, "outbox-tables", "it has no tables", "bunnicula outbox migrate with this --dsn"},
		"older tables":     {func(o *Outbox) { o.Tables = outbox.ErrOlderSchema }, Serious, "outbox-tables", "its tables are of an earlier version", "bunnicula outbox migrate"},
		"newer tables":     {func(o *Outbox) { o.Tables = outbox.ErrNewerSchema }, Serious, "outbox-tables", "its tables are of a later version than this command knows", "Update the command"},
		"forbidden tables": {func(o *Outbox) { o.Tables = errors.New("permission denied") }, Serious, "outbox-tables", "its tables cannot be used: permission denied", "give its user these rights"},
		"a late row":       {func(o *Outbox) { o.Free = 61500 * time.Millisecond }, Serious, "outbox-late", "a row is due for 1m2s, and nothing holds it; 3 rows due", "/readyz"},
		"a row that failed": {func(o *Outbox) {
			o.Failed = []outboxlook.Failed{{Target: emails, Error: "no queue", Rows: 1, Sample: "x"}}
		}, Serious, "outbox-failed", "1 row to queue emails failed: no queue", "outbox show id=x."},
		"no such queue":         {func(o *Outbox) { o.Missing = []outboxlook.Target{emails} }, Serious, "outbox-target", "5 rows for queue emails, which the broker does not have", "outbox discard queue=emails."},
		"no such exchange":      {func(o *Outbox) { o.Missing = []outboxlook.Target{{Exchange: "shop", RoutingKey: "k"}} }, Serious, "outbox-target", "1 row for exchange shop, which the broker does not have", "Declare the exchange"},
		"needs what is gone":    {func(o *Outbox) { o.Waits[0].Gone = true }, Warning, "outbox-held", "2 rows held for a row that is not there any more, such as first", "discard needs=first."},
		"needs what is parked":  {func(o *Outbox) { o.Waits[0].State = outbox.Parked }, Warning, "outbox-held", "2 rows held for a row that its consumer has parked, such as first", "bunnicula errors show QUEUE first."},
		"needs what failed":     {func(o *Outbox) { o.Waits[0].State = outbox.Failed }, Warning, "outbox-held", "2 rows held for a row that the relay has given up, such as first", "outbox retry id=first"},
		"a key that is held":    {func(o *Outbox) { o.Waits[1].State = outbox.Failed }, Serious, "outbox-key", "1 row behind failed rows of 1 key, most of them in key a", "outbox retry id=delayed"},
		"a clock that is late":  {func(o *Outbox) { o.Apart = -5 * time.Second }, Warning, "outbox-clock", "the database's clock is 5s earlier than this machine's", "NTP"},
		"a clock that is early": {func(o *Outbox) { o.Apart = time.Hour; o.Vacuum = nil }, Warning, "outbox-clock", "the database's clock is 1h0m0s later than this machine's", "NTP"},
		"no autovacuum":         {func(o *Outbox) { o.Vacuum.Tables[1].Off = true }, Serious, "outbox-vacuum", "autovacuum is off for table bunnicula_inbox, which has some 0 dead rows", "ALTER TABLE bunnicula_inbox RESET (autovacuum_enabled)"},
		"many dead rows":        {func(o *Outbox) { o.Vacuum.Tables[0].Dead, o.Vacuum.Tables[0].Never = 100_001, true }, Warning, "outbox-vacuum", "table bunnicula_outbox has some 100001 dead rows and 10 live ones; it was never vacuumed", "VACUUM bunnicula_outbox"},
		"an old transaction":    {func(o *Outbox) { o.Vacuum.Oldest = 2 * time.Hour }, Warning, "outbox-vacuum", "a transaction in this database is open for 2h0m0s", "pg_stat_activity"},
	} {
		f := withOutbox(t)
		test.broken(f.Outbox)
		found := outboxFindings(f)
		if len(found) != 1 || found[0].Severity != test.severity || found[0].Check != test.check || found[0].Problem != test.problem || !strings.Contains(found[0].Do, test.do) || found[0].Subject != "outbox postgres://db/shop" {
			t.Errorf("%s: %+v", name, found)
			continue
		}
		if one := found[0]; !strings.HasSuffix(one.Why, ".") || !strings.HasSuffix(one.Do, ".") || strings.HasSuffix(one.Problem, ".") || one.See == "" || strings.Contains(one.Do, "%!") {
			t.Errorf("%s: no sentences: %+v", name, one)
		}
	}
}

// Rows that failed in one way are one finding, whatever ids and numbers are in their errors.
func TestFailedRowsAreGroupedByTargetAndKindOfError(t *testing.T) {
	f := withOutbox(t)
	add := func(queue, text string, rows int) {
		f.Outbox.Failed = append(f.Outbox.Failed, outboxlook.Failed{Target: outboxlook.Target{RoutingKey: queue}, Error: text, Rows: rows, Sample: queue})
	}
	for i := range 300 {
		add("emails", fmt.Sprintf(`body of %d bytes, id 019f8a3c-7f62-7b1e-9b7e-3a8d1c2e4%03d, queue "q-%d"`, i, i, i), 2)
	}
	add("orders", "no queue", 700)
	for i := range 5 {
		add(fmt.Sprint("other-", i), "no queue", 1)
	}
	found := outboxFindings(f)
	if len(found) != 6 || !strings.HasPrefix(found[0].Problem, "700 rows to queue orders failed: no queue") ||
		!strings.HasPrefix(found[1].Problem, "600 rows to queue emails failed: body of 0 bytes") || found[5].Problem != "2 rows more failed with other errors" {
		t.Errorf("%+v", found)
	}
}
