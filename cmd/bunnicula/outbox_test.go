package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bunnicula-go/bunnicula/outbox"
	"github.com/bunnicula-go/bunnicula/publisher"
)

// orders is an app's database with its outbox, in a test.
type orders struct {
	t    *testing.T
	file string
	db   *sql.DB
	box  *outbox.Box
}

// newOrders makes a SQLite database with an outbox, which is empty.
func newOrders(t *testing.T) *orders {
	t.Helper()
	file := filepath.Join(t.TempDir(), "orders.db")
	db, err := sql.Open("sqlite", "file:"+file+"?_pragma=journal_mode(WAL)&_pragma=busy_timeout(10000)&_pragma=synchronous(OFF)")
	if err != nil {
		t.Fatal(err)
	}
	box, err := outbox.New(db, outbox.SQLite)
	if err == nil {
		err = box.Migrate(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	return &orders{t, file, db, box}
}

func (o *orders) exec(statements ...string) {
	o.t.Helper()
	for _, s := range statements {
		if _, err := o.db.ExecContext(o.t.Context(), s); err != nil {
			o.t.Fatalf("%s: %v", s, err)
		}
	}
}

func (o *orders) put(id, queue string, payload any, opts ...publisher.Option) {
	o.t.Helper()
	tx, err := o.db.BeginTx(o.t.Context(), nil)
	if err != nil {
		o.t.Fatal(err)
	}
	if err := errors.Join(o.box.Put(o.t.Context(), tx, queue, payload, append(opts, outbox.ID(id))...), tx.Commit()); err != nil {
		o.t.Fatal(err)
	}
}

// shell returns a shell whose BUNNICULA_DSN is the database, and which has no broker.
func (o *orders) shell() *shell {
	s := offline(o.t)
	s.env["BUNNICULA_DSN"] = o.file
	return s
}

// filled has one row of each kind. It is put in the order of the ids, ten minutes apart.
func filled(t *testing.T) *orders {
	t.Helper()
	o := newOrders(t)
	later := func() {
		o.exec("UPDATE bunnicula_outbox SET put_at = put_at - 600000000, due = due - 600000000, changed = changed - 600000000")
	}
	o.put("a-waiting", "emails", map[string]any{"to": "ada", "n": 1}, publisher.Type("welcome"), publisher.Header("tenant", "acme"), publisher.Header("n", int32(7)))
	later()
	o.put("b-failed", "emails", map[string]any{"to": "bob"}, outbox.Key("bob"))
	later()
	o.put("c-behind", "emails", map[string]any{"to": "bob"}, outbox.Key("bob"))
	later()
	o.put("d-sent", "order.new", "order", publisher.Exchange("shop"), outbox.Job("import-17"))
	later()
	o.put("e-held", "invoices", "x", outbox.After("d-sent"), outbox.Job("import-17"))
	o.put("f-held", "invoices", "x", outbox.After("d-sent"), outbox.Job("import-17"))
	later()
	o.put("g-backing-off", "orders", "\x1b[2J")
	o.put("h-delayed", "reminders", "x", publisher.Delay(36*time.Hour))
	o.exec(
		"UPDATE bunnicula_outbox SET state = 2 WHERE id = 'd-sent'",
		"UPDATE bunnicula_outbox SET state = 5, attempts = 15, error = 'publish to queue \"emails\": no queue is bound for the routing key' WHERE id = 'b-failed'",
		"UPDATE bunnicula_outbox SET attempts = 2, error = 'the broker refused it'||char(27)||'[2J', due = due + 90000000 WHERE id = 'g-backing-off'",
	)
	return o
}

// simulated runs a test in simulated time, which begins at the same moment each time.
func simulated(t *testing.T, test func(t *testing.T, o *orders)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		o := filled(t)
		defer func() { _ = o.db.Close() }()
		time.Sleep(time.Minute)
		test(t, o)
	})
}

func TestTheOutboxIsListed(t *testing.T) {
	simulated(t, func(t *testing.T, o *orders) {
		s := o.shell()
		compare(t, "outbox-ls.txt", s.run("outbox", "ls").want(t, exitOK).out)
		compare(t, "outbox-ls.json", s.run("outbox", "ls", "state=failed,held", "queue=emails", "--json").want(t, exitOK).out)
		s.shows = true
		compare(t, "outbox-ls-terminal.txt", s.run("outbox", "ls", "error~REFUSED").want(t, exitOK).out)
		s.shows = false
		s.run("outbox", "ls", "--limit", "2").want(t, exitOK, "b-failed", "the first 2 are listed; --limit 0 lists all")
		if r := s.run("outbox", "ls", "key=nobody").want(t, exitOK); r.out+r.err != "" {
			t.Errorf("%s%s", r.out, r.err)
		}
	})
}

func TestTermsChooseRows(t *testing.T) {
	simulated(t, func(t *testing.T, o *orders) {
		o.put(`odd, "id" a=b`, "q", "x", outbox.Key("a,b"))
		for want, terms := range map[string][]string{
			"a-waiting b-failed c-behind": {"queue=emails"},
			"b-failed":                    {"state=failed"},
			"b-failed e-held f-held":      {"state=failed", "state=held"},
			"d-sent":                      {"exchange=shop"},
			"d-sent e-held f-held":        {"job=import-17"},
			"e-held f-held":               {"needs=d-sent"},
			"b-failed c-behind":           {"key=bob"},
			"e-held":                      {"id=e-held,nothing"},
			"a-waiting":                   {"older=50m"},
			"a-waiting b-failed":          {"age>40m"},
			"g-backing-off h-delayed":     {"newer=5m", "queue=orders,reminders"},
			" g-backing-off h-delayed":    {"age<5m", "queue=orders,reminders"},
			"b-failed ":                   {`error~queue "emails": no queue is bound`},
			"g-backing-off":               {`error~"the broker refused"`},
			`odd, "id" a=b`:               {`key="a,b"`},
		} {
			var got []string
			for line := range strings.Lines(o.shell().run(append([]string{"outbox", "ls", "--json"}, terms...)...).want(t, exitOK).out) {
				var row struct{ ID string }
				if err := json.Unmarshal([]byte(line), &row); err != nil {
					t.Fatal(err)
				}
				got = append(got, row.ID)
			}
			if strings.Join(got, " ") != strings.TrimSpace(want) {
				t.Errorf("%q: %q, want %q", terms, got, want)
			}
		}
		o.shell().run("outbox", "show", `odd, "id" a=b`).want(t, exitOK, "key          a,b")
	})
}

func TestARowIsShownWithAllThatIsKnown(t *testing.T) {
	simulated(t, func(t *testing.T, o *orders) {
		s := o.shell()
		compare(t, "outbox-show.txt", s.run("outbox", "show", "a-waiting").want(t, exitOK).out)
		compare(t, "outbox-show-failed.txt", s.run("outbox", "show", "state=failed").want(t, exitOK).out)
		compare(t, "outbox-show.json", s.run("outbox", "show", "a-waiting", "--json").want(t, exitOK).out)
		s.run("outbox", "show", "d-sent").want(t, exitOK, "exchange     shop\n", "job          import-17\n", "sent, since ", "published, and not handled yet")
		s.run("outbox", "show", "e-held").want(t, exitOK, "needs        d-sent\n", "until the row that it needs is done")
		s.run("outbox", "show", "h-delayed").want(t, exitOK, ", in 1d11h\n", "not due yet")
		s.run("outbox", "show", "nothing").want(t, exitFailed, "the outbox of "+o.file+" has no such row: nothing; it was never put, or has no job and was published")
	})
}

func TestNothingOfARowIsObeyedByATerminal(t *testing.T) {
	simulated(t, func(t *testing.T, o *orders) {
		for _, args := range [][]string{{"ls"}, {"show", "g-backing-off"}, {"stats"}, {"ls", "--json"}} {
			if r := o.shell().run(append([]string{"outbox"}, args...)...).want(t, exitOK); strings.Contains(r.out+r.err, "\x1b") {
				t.Errorf("%q: %q", args, r.out)
			}
		}
	})
}

func TestACompressedBodyOfARowIsShownInflated(t *testing.T) {
	simulated(t, func(t *testing.T, o *orders) {
		var zipped bytes.Buffer
		z := gzip.NewWriter(&zipped)
		_, _ = z.Write([]byte(`{"number":7}`))
		_ = z.Close()
		o.put("zipped", "q", zipped.Bytes(), publisher.ContentEncoding("gzip"))
		o.shell().run("outbox", "show", "zipped").want(t, exitOK, "(gzip), decoded 12 bytes\n", `"number": 7`)
		o.shell().run("outbox", "show", "zipped", "--json").want(t, exitOK, `"body_base64": "H4`, `"decoded": "{\"number\":7}"`)
	})
}

func TestRetryCountsAndAsksAndMakesRowsDue(t *testing.T) {
	simulated(t, func(t *testing.T, o *orders) {
		s := o.shell()
		s.run("outbox", "retry", "--all", "--dry-run").want(t, exitOK, "2 rows of "+o.file+" would be due now; nothing was done")
		s.run("outbox", "retry", "--all").want(t, exitRefused, "there is no terminal to ask at, say --yes")
		s.asks, s.in = true, "n\n"
		s.run("outbox", "retry", "--all").want(t, exitRefused, "Make 2 rows of "+o.file+" due now? [y/N]", "not done")
		s.run("outbox", "show", "b-failed").want(t, exitOK, "failed, since")
		s.in = "y\n"
		s.run("outbox", "retry", "queue=emails").want(t, exitOK, "1 row of "+o.file+" due now, in 0s")
		s.run("outbox", "show", "b-failed").want(t, exitOK, "waiting, since", ", due\n")
		s.run("outbox", "retry", "queue=emails").want(t, exitOK, "nothing to retry in "+o.file)
		r := s.run("outbox", "retry", "--all", "--yes", "--json").want(t, exitOK)
		compare(t, "outbox-retry.json", r.out, o.file, "orders.db")
	})
}

func TestDiscardCountsAndAsksAndDeletes(t *testing.T) {
	simulated(t, func(t *testing.T, o *orders) {
		s := o.shell()
		s.run("outbox", "discard", "state=failed", "--dry-run").want(t, exitOK, "1 row of "+o.file+" would be discarded; nothing was done")
		s.asks, s.in = true, "y\n"
		s.run("outbox", "discard", "state=failed").want(t, exitRefused, "Delete 1 row of "+o.file+" for good? Type orders.db to do it:", "not done")
		s.in = "orders.db\n"
		s.run("outbox", "discard", "state=failed").want(t, exitOK, "1 row of "+o.file+" discarded, in 0s")
		s.run("outbox", "discard", "state=failed").want(t, exitOK, "nothing to discard in "+o.file)
		o.exec("UPDATE bunnicula_outbox SET state = 6 WHERE id = 'a-waiting'", "UPDATE bunnicula_outbox SET state = 5 WHERE id = 'd-sent'")
		s.run("outbox", "discard", "id=a-waiting,d-sent", "--yes").want(t, exitFailed, "0 rows of "+o.file+" discarded",
			"outbox: not discarded: 1 row is being published or handled, 1 row is needed by rows that are held")
		r := s.run("outbox", "discard", "--all", "--yes", "--json").want(t, exitFailed)
		compare(t, "outbox-discard.json", r.out, o.file, "orders.db")
		s.run("outbox", "ls").want(t, exitOK, "a-waiting")
	})
}

// answer is what a person types, after something has happened.
type answer struct {
	meanwhile func()
	text      *strings.Reader
}

func (a *answer) Read(p []byte) (int, error) {
	if a.meanwhile != nil {
		a.meanwhile()
		a.meanwhile = nil
	}
	return a.text.Read(p)
}

func TestTheAnswerDoesNotCoverRowsThatArePutAfterTheQuestion(t *testing.T) {
	o := filled(t)
	defer func() { _ = o.db.Close() }()
	for _, typed := range [][2]string{{"retry", "y\n"}, {"discard", "orders.db\n"}} {
		command, text := typed[0], typed[1]
		var out, errs bytes.Buffer
		id := "late-" + command
		late := func() {
			o.put(id, "emails", "x")
			o.exec("UPDATE bunnicula_outbox SET state = 5, error = 'late' WHERE id = '" + id + "'")
		}
		o.exec("UPDATE bunnicula_outbox SET state = 5 WHERE id = 'b-failed'")
		code := run(t.Context(), terminal{
			in: &answer{late, strings.NewReader(text)}, out: &out, err: &errs, asks: true,
			getenv: func(name string) string { return map[string]string{"BUNNICULA_DSN": o.file}[name] },
		}, "outbox", command, "state=failed", "newer=1d", "queue=emails", "id=b-failed,"+id)
		if code != exitOK || !strings.HasPrefix(out.String(), "1 row of ") {
			t.Errorf("%s: exit code %d, %s%s", command, code, &out, &errs)
		}
		if r, err := o.box.Row(t.Context(), id); err != nil || r.State != outbox.Failed {
			t.Errorf("%s: %s, %v", id, r.State, err)
		}
	}
}

func TestStatsCountAndSayWhatWaitsForWhat(t *testing.T) {
	simulated(t, func(t *testing.T, o *orders) {
		s := o.shell()
		compare(t, "outbox-stats.txt", s.run("outbox", "stats").want(t, exitOK).out)
		compare(t, "outbox-stats.json", s.run("outbox", "stats", "--json").want(t, exitOK).out, o.file, "orders.db")
		o.exec("DELETE FROM bunnicula_outbox WHERE id IN ('b-failed', 'd-sent')")
		s.run("outbox", "stats").want(t, exitOK, "2  d-sent    gone          they need it")
	})
}

func TestStatsAreWatchedUntilInterrupted(t *testing.T) {
	simulated(t, func(t *testing.T, o *orders) {
		ctx, cancel := context.WithCancel(t.Context())
		s := o.shell()
		s.ctx = ctx
		time.AfterFunc(5*time.Second, cancel)
		if r := s.run("outbox", "stats", "--watch", "--timeout", "3s").want(t, exitInterrupted); strings.Count(r.out, "failed      1") != 3 {
			t.Errorf("%s", r.out)
		}
	})
}

func TestMigrateMakesTheTablesOnce(t *testing.T) {
	s := offline(t)
	file := filepath.Join(t.TempDir(), "new.db")
	dsn := "sqlite://" + file
	for _, args := range [][]string{{"ls"}, {"stats"}, {"show", "x"}, {"retry", "--all", "--yes"}, {"discard", "--all", "--yes"}} {
		s.run(append(append([]string{"outbox"}, args...), "--dsn", dsn)...).want(t, exitFailed, file+": no such file: the app makes it, or bunnicula outbox migrate")
	}
	s.run("outbox", "migrate", "--dsn", dsn).want(t, exitRefused, "say --yes")
	s.asks, s.in = true, "n\n"
	s.run("outbox", "migrate", "--dsn", dsn).want(t, exitRefused, "Make the file "+file+", with the tables of an outbox? [y/N]")
	if _, err := os.Stat(file); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it was made: %v", err)
	}
	s.in = "y\n"
	s.run("outbox", "migrate", "--dsn", dsn).want(t, exitOK, "the tables are there, and up to date")
	s.run("outbox", "migrate", "--dsn", dsn, "--yes").want(t, exitOK, "the tables were up to date")
	s.run("outbox", "migrate", "--dsn", dsn, "--yes", "--json").want(t, exitOK, `"changed": false`)
	s.run("outbox", "stats", "--dsn", dsn).want(t, exitOK, "waiting     0")
}

func TestMissingTablesSayWhatMakesThem(t *testing.T) {
	file := filepath.Join(t.TempDir(), "empty.db")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s := offline(t)
	for _, args := range [][]string{{"ls"}, {"stats"}, {"show", "x"}, {"retry", "--all", "--yes"}, {"discard", "--all", "--yes"}} {
		s.run(append(append([]string{"outbox"}, args...), "--dsn", file)...).want(t, exitFailed, "database "+file, "tables of the outbox are missing", "bunnicula outbox migrate --dsn")
	}
	s.asks, s.in = true, "n\n"
	s.run("outbox", "migrate", "--dsn", file).want(t, exitRefused, "Make or change the tables of the outbox in "+file+"? [y/N]")
}
