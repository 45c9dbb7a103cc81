package main

import (
	"net/url"
	"strings"
	"testing"

	"github.com/bunnicula-go/bunnicula/internal/test/pgtest"
	"github.com/bunnicula-go/bunnicula/outbox"
)

func TestTheOutboxOfPostgreSQLIsLookedAtAndChanged(t *testing.T) {
	dsn := pgtest.DSN(t)
	s := offline(t)
	s.env["BUNNICULA_DSN"] = dsn
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	shown := "postgres://" + u.Host + u.Path
	s.run("outbox", "stats").want(t, exitFailed, "database "+shown, "tables of the outbox are missing", "bunnicula outbox migrate --dsn")
	s.run("outbox", "migrate", "--yes").want(t, exitOK, shown+": the tables are there, and up to date")
	s.run("outbox", "migrate", "--yes").want(t, exitOK, "the tables were up to date")

	db := pgtest.DB(t)
	box, err := outbox.New(db, outbox.Postgres)
	if err != nil {
		t.Fatal(err)
	}
	o := &orders{t: t, db: db, box: box}
	o.put("a-failed", "emails", map[string]any{"to": "ada"}, outbox.Key("ada"))
	o.put("b-behind", "emails", "x", outbox.Key("ada"))
	o.put("c-waiting", "orders", "x")
	o.exec("UPDATE bunnicula_outbox SET state = 5, attempts = 15, error = 'no queue is bound', put_at = now() - interval '2 hours 30 seconds' WHERE id = 'a-failed'")

	s.run("outbox", "ls").want(t, exitOK, "AGE  STATE ", "2h0m  failed   emails  ada        15       a-failed   no queue is bound\n")
	s.run("outbox", "ls", "older=1h", "error~NO QUEUE", "state=failed").want(t, exitOK, "a-failed")
	if r := s.run("outbox", "ls", "newer=1h", "key=ada", "--json").want(t, exitOK); strings.Count(r.out, "\n") != 1 || !strings.Contains(r.out, `"id":"b-behind"`) {
		t.Errorf("%s", r.out)
	}
	s.run("outbox", "show", "a-failed").want(t, exitOK, "state        failed, since ", `"to": "ada"`)
	s.run("outbox", "stats").want(t, exitOK, "waiting     2", "failed      1", "1  a-failed  failed  emails  key ada")
	s.run("outbox", "retry", "state=failed", "--yes").want(t, exitOK, "1 row of "+shown+" due now")
	s.run("outbox", "show", "a-failed").want(t, exitOK, "state        waiting, since ", ", due\n")

	relay, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = relay.Rollback() }()
	if _, err := relay.ExecContext(t.Context(), "SELECT 1 FROM bunnicula_outbox WHERE id = 'c-waiting' FOR NO KEY UPDATE"); err != nil {
		t.Fatal(err)
	}
	s.asks, s.in = true, strings.TrimPrefix(u.Path, "/")+"\n"
	s.run("outbox", "discard", "--all").want(t, exitFailed, "Delete 3 rows of "+shown+" for good?", "2 rows of "+shown+" discarded", "not discarded: 1 row is being published")
	if err := relay.Rollback(); err != nil {
		t.Fatal(err)
	}
	s.run("outbox", "discard", "--all", "--yes").want(t, exitOK, "1 row of ")
	s.run("outbox", "discard", "--all", "--yes").want(t, exitOK, "nothing to discard in "+shown)
}

func TestADatabaseOfPostgreSQLThatIsAwayIsNotWaitedForLong(t *testing.T) {
	s := offline(t)
	s.env["BUNNICULA_DSN"] = "postgres://u:hunter2@127.0.0.1:1/shop?sslmode=disable"
	for _, args := range [][]string{{"ls"}, {"stats"}, {"retry", "--all", "--yes"}, {"migrate", "--yes"}} {
		s.run(append(append([]string{"outbox"}, args...), "--timeout", "300ms")...).want(t, exitFailed, "database postgres://127.0.0.1:1/shop: ")
	}
}
