package outbox_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/test/pgtest"
	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/outbox"
	"github.com/bunnicula-go/bunnicula/publisher"
	"github.com/bunnicula-go/bunnicula/publisher/publishertest"
)

// right is one privilege on one table.
type right struct{ privilege, table string }

// documentedRights reads the table of docs/SECURITY.md.
func documentedRights(t *testing.T) map[string][]right {
	t.Helper()
	text, err := os.ReadFile("../docs/SECURITY.md")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]right{}
	row := regexp.MustCompile("(?m)^\\| `(\\w+)` \\| .* \\| ([A-Z, ]*)\\| ([A-Z, ]*)\\| ([A-Z, ]*)\\|$")
	for _, m := range row.FindAllStringSubmatch(string(text), -1) {
		for i, table := range []string{"bunnicula_outbox", "bunnicula_inbox", "bunnicula_schema"} {
			for privilege := range strings.SplitSeq(m[2+i], ", ") {
				if privilege = strings.TrimSpace(privilege); privilege != "" {
					all[m[1]] = append(all[m[1]], right{privilege, table})
				}
			}
		}
	}
	return all
}

// rightful is a user of the database at work, beside its owner, who prepares it.
type rightful struct {
	t          *testing.T
	owner, own *sql.DB
	ownersBox  *outbox.Box
	box        *outbox.Box
	n          int // of this run; ids have it
}

func (r *rightful) id(name string) string { return fmt.Sprint(name, "-", r.n) }

func (r *rightful) prepare(name string, opts ...publisher.Option) {
	inTx(r.t, r.owner, func(tx *sql.Tx) error {
		return r.ownersBox.Put(r.t.Context(), tx, "q", 1, append(opts, outbox.ID(r.id(name)))...)
	})
}

func (r *rightful) inTx(do func(tx *sql.Tx) error) error {
	tx, err := r.own.BeginTx(r.t.Context(), nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	if err := do(tx); err != nil {
		return err
	}
	return tx.Commit()
}

func (r *rightful) put(opts ...publisher.Option) error {
	return r.inTx(func(tx *sql.Tx) error { return r.box.Put(r.t.Context(), tx, "q", 1, opts...) })
}

func (r *rightful) handle(name string) error {
	var why error
	h := outbox.Once(r.box, func(context.Context, *sql.Tx, consumer.Message[int]) consumer.Result { return consumer.Ack() })
	result := h(r.t.Context(), consumer.Message[int]{Delivery: consumer.Delivery{Consumer: "c", MessageID: r.id(name), Timestamp: time.Now()}})
	if !result.Acked() {
		why = fmt.Errorf("not acked: %v", result)
	}
	return why
}

// users do the work of the rows of the table. Each needs exactly these rights.
var users = map[string]func(r *rightful) error{
	"put": func(r *rightful) error { return r.put(outbox.ID(r.id("put")), outbox.Key("k")) },
	"after": func(r *rightful) error {
		r.prepare("first", outbox.Job("j"))
		return r.put(outbox.After(r.id("first")))
	},
	"cancel": func(r *rightful) error {
		r.prepare("cancelled")
		return r.inTx(func(tx *sql.Tx) error { return r.box.Cancel(r.t.Context(), tx, r.id("cancelled")) })
	},
	"relay": func(r *rightful) error {
		r.prepare("free")
		r.prepare("of a job", outbox.Job("j"))
		if _, err := r.owner.Exec(`INSERT INTO bunnicula_inbox (consumer, id, at) VALUES ('c', $1, now() - interval '9 days')`, r.id("old")); err != nil {
			r.t.Fatal(err)
		}
		if err := startWithoutBroker(r.t, r.box); err != nil {
			return err
		}
		if _, err := r.box.Flush(r.t.Context(), new(publishertest.Recorder)); err != nil {
			return err
		}
		return r.box.Clean(r.t.Context())
	},
	"once": func(r *rightful) error { return r.handle("handled") },
	"job": func(r *rightful) error {
		r.prepare("done", outbox.Job("j"))
		r.prepare("parked", outbox.Job("j"))
		if err := r.handle("done"); err != nil {
			return err
		}
		r.box.Monitor().End(r.t.Context(), monitoring.Delivery{MessageID: r.id("parked")}, monitoring.Outcome{Action: monitoring.Parked})
		row, err := r.ownersBox.Row(r.t.Context(), r.id("parked"))
		if err == nil && row.State != outbox.Parked {
			err = fmt.Errorf("the row of a parked message is %s", row.State)
		}
		return err
	},
	"look": func(r *rightful) error {
		r.prepare("seen", outbox.Job("j"))
		err := r.box.Check(r.t.Context()) // as the command does first
		if err == nil {
			_, err = r.box.Stats(r.t.Context())
		}
		if err == nil {
			_, err = r.box.Job(r.t.Context(), "j")
		}
		for _, e := range r.box.Rows(r.t.Context(), outbox.RowFilter{}) {
			err = e
		}
		return err
	},
	"mend": func(r *rightful) error {
		r.prepare("failed")
		r.prepare("unwanted")
		if _, err := r.owner.Exec(`UPDATE bunnicula_outbox SET state = 5 WHERE id = $1`, r.id("failed")); err != nil {
			r.t.Fatal(err)
		}
		err := r.box.Check(r.t.Context())
		if err == nil {
			_, err = r.box.Retry(r.t.Context(), outbox.RowFilter{IDs: []string{r.id("failed")}})
		}
		if err == nil {
			_, err = r.box.Discard(r.t.Context(), outbox.RowFilter{IDs: []string{r.id("unwanted")}})
		}
		return err
	},
}

// startWithoutBroker starts and stops a relay whose broker is away.
func startWithoutBroker(t *testing.T, box *outbox.Box) error {
	conn, err := connection.New(connection.Config{URL: "amqp://127.0.0.1:1", Lazy: true}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	relay, err := outbox.NewRelay(box, conn, outbox.RelayConfig{})
	if err != nil {
		t.Fatal(err)
	}
	started := relay.Start(t.Context())
	if err := errors.Join(relay.Stop(t.Context()), conn.Stop(t.Context())); err != nil {
		t.Error(err)
	}
	return started
}

func TestFlushNeedsNoRightsOnMarksAndARelayThatLacksThemDoesNotStart(t *testing.T) {
	owner, dsn := pgtest.DB(t), pgtest.DSN(t)
	newBox(t, owner, outbox.Postgres)
	role := fmt.Sprintf("bunnicula_test_%d", time.Now().UnixNano())
	do(t, owner, `CREATE ROLE `+role, `GRANT SELECT, UPDATE ON bunnicula_outbox TO `+role, `GRANT SELECT ON bunnicula_schema TO `+role)
	t.Cleanup(func() { do(t, owner, `DROP OWNED BY `+role, `DROP ROLE `+role) })
	box := mustNew(t, pgtest.Open(t, dsn+"&role="+role), outbox.Postgres)
	const lacks = "the database user may not use the tables: it needs SELECT, UPDATE and DELETE on bunnicula_outbox, "
	if _, err := box.Flush(t.Context(), new(publishertest.Recorder)); err == nil || err.Error() != "outbox: flush: "+lacks+"and SELECT on bunnicula_schema" {
		t.Errorf("%v", err)
	}
	do(t, owner, `GRANT DELETE ON bunnicula_outbox TO `+role)
	if _, err := box.Flush(t.Context(), new(publishertest.Recorder)); err != nil {
		t.Error(err)
	}
	if err := startWithoutBroker(t, box); err == nil || err.Error() != "outbox: relay: "+lacks+"SELECT and DELETE on bunnicula_inbox, and SELECT on bunnicula_schema" {
		t.Errorf("%v", err)
	}
}

// denied is what is wrong without a right. A monitor logs it, and the row stays as it was.
var denied = regexp.MustCompile(`permission denied for table|the database user may not use the tables|the row of a parked message is sent`)

func TestTheRightsInTheDatabaseAreEnoughAndEachIsNeeded(t *testing.T) {
	owner, dsn := pgtest.DB(t), pgtest.DSN(t)
	ownersBox := newBox(t, owner, outbox.Postgres)
	documented := documentedRights(t)
	if len(documented) != len(users) {
		t.Errorf("docs/SECURITY.md has %d rows, want %d", len(documented), len(users))
	}
	n := 0
	for name, act := range users {
		t.Run(name, func(t *testing.T) {
			role := fmt.Sprintf("bunnicula_test_%d_%s", time.Now().UnixNano(), name)
			do(t, owner, `CREATE ROLE `+role)
			t.Cleanup(func() { do(t, owner, `DROP OWNED BY `+role, `DROP ROLE `+role) })
			try := func(rights []right) error {
				do(t, owner, `DROP OWNED BY `+role)
				for _, r := range rights {
					do(t, owner, `GRANT `+r.privilege+` ON `+r.table+` TO `+role)
				}
				own := pgtest.Open(t, dsn+"&role="+role)
				defer func() { _ = own.Close() }()
				n++
				box, err := outbox.New(own, outbox.Postgres)
				if err != nil {
					t.Fatal(err)
				}
				return act(&rightful{t: t, owner: owner, own: own, ownersBox: ownersBox, box: box, n: n})
			}
			all := documented[name]
			if err := try(all); err != nil {
				t.Fatalf("with all of %v: %v", all, err)
			}
			for i, r := range all {
				err := try(append(append([]right(nil), all[:i]...), all[i+1:]...))
				if err == nil || !denied.MatchString(err.Error()) {
					t.Errorf("without %s on %s: %v", r.privilege, r.table, err)
				}
			}
		})
	}
}

func do(t *testing.T, db *sql.DB, statements ...string) {
	t.Helper()
	for _, s := range statements {
		if _, err := db.ExecContext(context.WithoutCancel(t.Context()), s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

func TestWhoMayMakeTablesCanMakeThoseOfAnOutboxAndUseThem(t *testing.T) {
	owner, dsn := pgtest.DB(t), pgtest.DSN(t)
	role := fmt.Sprintf("bunnicula_test_%d", time.Now().UnixNano())
	do(t, owner, `CREATE ROLE `+role, `REVOKE CREATE ON SCHEMA public FROM PUBLIC`)
	t.Cleanup(func() { do(t, owner, `DROP OWNED BY `+role, `DROP ROLE `+role) })
	own := pgtest.Open(t, dsn+"&role="+role)
	box, err := outbox.New(own, outbox.Postgres)
	if err != nil {
		t.Fatal(err)
	}
	if err := box.Migrate(t.Context()); err == nil || !strings.Contains(err.Error(), "permission denied for schema public") {
		t.Errorf("without the right: %v", err)
	}
	do(t, owner, `GRANT CREATE ON SCHEMA public TO `+role)
	everything(t, own, newBox(t, own, outbox.Postgres))
}
