package outbox_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/outbox"
	"github.com/bunnicula-go/bunnicula/publisher"
)

// write runs a statement.
func write(t testing.TB, db *sql.DB, statement string, args ...any) {
	t.Helper()
	if _, err := db.ExecContext(t.Context(), statement, args...); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// shift makes a time column of a row so many hours later.
func shift(t testing.TB, db *sql.DB, dialect outbox.Dialect, column, id string, hours int) {
	t.Helper()
	by := fmt.Sprintf("%d * interval '1 hour'", hours)
	if dialect == outbox.SQLite {
		by = fmt.Sprintf("%d * 3600000000", hours)
	}
	write(t, db, fmt.Sprintf("UPDATE bunnicula_outbox SET %s = %s + %s WHERE id = '%s'", column, column, by, id))
}

// zoo puts one row of each kind, whose ids say what it is.
func zoo(t testing.TB, db *sql.DB, dialect outbox.Dialect) *outbox.Box {
	t.Helper()
	box := newBox(t, db, dialect)
	inTx(t, db, func(tx *sql.Tx) error {
		put := func(id, queue string, opts ...publisher.Option) error {
			return box.Put(t.Context(), tx, queue, email{id}, append(opts, outbox.ID(id))...)
		}
		return errors.Join(
			put("waiting", "emails", publisher.Header("n", int32(7)), publisher.Type("welcome")),
			put("delayed", "emails", publisher.Delay(time.Hour), outbox.Key("ada")),
			put("sent", "orders", publisher.Exchange("shop"), outbox.Job("import")),
			put("held", "invoices", outbox.After("sent"), outbox.Job("import")),
			put("failed", "emails", outbox.Key("bob")),
			put("backing-off", "orders"),
			put("done", "orders", outbox.Job("import")),
			put("parked", "orders", outbox.Job("import")),
		)
	})
	for _, set := range []string{
		"state = 2 WHERE id = 'sent'", "state = 3 WHERE id = 'done'", "state = 4 WHERE id = 'parked'",
		"state = 5, attempts = 15, error = 'No Queue is bound: 100%' WHERE id = 'failed'",
		"attempts = 3, error = 'the queue is full' WHERE id = 'backing-off'",
	} {
		write(t, db, "UPDATE bunnicula_outbox SET "+set)
	}
	shift(t, db, dialect, "due", "backing-off", 1)
	shift(t, db, dialect, "put_at", "failed", -48)
	return box
}

// ids are those of the rows that a filter chooses.
func ids(t testing.TB, box *outbox.Box, f outbox.RowFilter) string {
	t.Helper()
	var all []string
	for r, err := range box.Rows(t.Context(), f) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, r.ID)
	}
	return strings.Join(all, " ")
}

func TestAFilterChoosesRowsInTheOrderInWhichTheyWerePut(t *testing.T) {
	bothDialects(t, func(t *testing.T, db *sql.DB, dialect outbox.Dialect) {
		box := zoo(t, db, dialect)
		for want, f := range map[string]outbox.RowFilter{
			"waiting delayed sent held failed backing-off done parked": {},
			"waiting delayed":             {Limit: 2},
			"held":                        {States: []outbox.State{outbox.Held}},
			"waiting delayed backing-off": {States: []outbox.State{outbox.Waiting}},
			"failed parked":               {States: []outbox.State{outbox.Parked, outbox.Failed}},
			"waiting delayed failed":      {RoutingKeys: []string{"emails"}},
			"sent":                        {Exchanges: []string{"shop"}},
			"sent held done parked":       {Jobs: []string{"import", "other"}},
			"delayed failed":              {Keys: []string{"ada", "bob"}},
			"delayed":                     {Keys: []string{"ada", "bob"}, NewerThan: time.Hour},
			"held ":                       {Needs: []string{"sent"}},
			"failed":                      {OlderThan: time.Hour},
			"failed ":                     {ErrorContains: "no queue"},
			" failed":                     {ErrorContains: "100%"},
			"backing-off":                 {ErrorContains: "FULL"},
			"":                            {ErrorContains: "%" + "queue"},
			"waiting":                     {IDs: []string{"waiting", "none", "it's"}},
			" ":                           {IDs: []string{"waiting"}, RoutingKeys: []string{"orders"}},
		} {
			if got := ids(t, box, f); got != strings.TrimSpace(want) {
				t.Errorf("%+v: %q, want %q", f, got, want)
			}
		}
	})
}

func TestARowIsReadAsItWasPut(t *testing.T) {
	bothDialects(t, func(t *testing.T, db *sql.DB, dialect outbox.Dialect) {
		box := zoo(t, db, dialect)
		r, err := box.Row(t.Context(), "waiting")
		if err != nil {
			t.Fatal(err)
		}
		if r.State != outbox.Waiting || r.RoutingKey != "emails" || r.Exchange != "" || r.Key != "" || string(r.Body) != `{"To":"waiting"}` || time.Since(r.PutAt).Abs() > time.Minute ||
			r.Properties.Type != "welcome" || r.Properties.Headers["n"] != int32(7) || r.Properties.ContentType != "application/json" || !r.Properties.Timestamp.IsZero() || r.Unreadable != "" {
			t.Errorf("%+v", r)
		}
		r, err = box.Row(t.Context(), "delayed")
		if err != nil || r.Due.Sub(r.PutAt).Round(time.Minute) != time.Hour || r.Key != "ada" {
			t.Errorf("%+v, %v", r, err)
		}
		r, err = box.Row(t.Context(), "held")
		if err != nil || r.Needs != "sent" || r.Job != "import" || r.State != outbox.Held {
			t.Errorf("%+v, %v", r, err)
		}
		r, err = box.Row(t.Context(), "failed")
		if err != nil || r.Attempts != 15 || r.Error != "No Queue is bound: 100%" || r.State != outbox.Failed {
			t.Errorf("%+v, %v", r, err)
		}
		if _, err := box.Row(t.Context(), "none"); !errors.Is(err, outbox.ErrUnknown) {
			t.Errorf("%v", err)
		}
	})
}

func TestARowWhosePropertiesNobodyCanReadIsShownWithoutThem(t *testing.T) {
	db := sqlite(t)
	box := zoo(t, db, outbox.SQLite)
	write(t, db, "UPDATE bunnicula_outbox SET properties = 'x', body = x'ff', state = 6 WHERE id = 'waiting'")
	r, err := box.Row(t.Context(), "waiting")
	if err != nil || !strings.Contains(r.Unreadable, "properties: ") || r.Properties.Type != "" || string(r.Body) != "\xff" || r.State != outbox.Waiting {
		t.Errorf("%+v, %v", r, err)
	}
	text, err := json.Marshal(r)
	if err != nil || !strings.Contains(string(text), `"body_base64":"/w=="`) || !strings.Contains(string(text), `"state":"waiting"`) {
		t.Errorf("%s, %v", text, err)
	}
}

func TestARowInJSONHasItsHeadersWithTheirTypes(t *testing.T) {
	db := sqlite(t)
	box := zoo(t, db, outbox.SQLite)
	r, err := box.Row(t.Context(), "waiting")
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(r)
	for _, want := range []string{`"headers":{"n":{"int32":7}}`, `"body":"{\"To\":\"waiting\"}"`, `"body_size":16`, `"content_type":"application/json"`} {
		if err != nil || !strings.Contains(string(text), want) {
			t.Errorf("%s, %v, want %s", text, err, want)
		}
	}
}

// Bodies of more than a page's bytes, and more rows than a page has, are all read once.
func TestRowsAreReadInPages(t *testing.T) {
	db := sqlite(t)
	box := newBox(t, db, outbox.SQLite)
	var want []string
	inTx(t, db, func(tx *sql.Tx) error {
		for i := range 1203 {
			id := fmt.Sprint(2000 - i)
			want = append(want, id)
			var size int
			if i < 5 {
				size = 5 << 20
			}
			if err := box.Put(t.Context(), tx, "q", make([]byte, size), outbox.ID(id)); err != nil {
				return err
			}
		}
		return nil
	})
	if got := ids(t, box, outbox.RowFilter{}); got != strings.Join(want, " ") {
		t.Errorf("%.200s ..., want %.200s ...", got, strings.Join(want, " "))
	}
	n := 0
	for r, err := range box.Rows(t.Context(), outbox.RowFilter{States: []outbox.State{outbox.Waiting}}) {
		if err != nil {
			t.Fatal(err)
		}
		if n++; n == 1 { // their page is not read yet, and no transaction is open
			write(t, db, "DELETE FROM bunnicula_outbox WHERE id = '798'")
			write(t, db, "UPDATE bunnicula_outbox SET state = 5 WHERE id = '799'")
			write(t, db, "UPDATE bunnicula_outbox SET attempts = 7 WHERE id = '800'")
		}
		if r.ID == "798" || r.ID == "799" || r.ID == "800" && r.Attempts != 7 {
			t.Errorf("%s is %s", r.ID, r.State)
		}
	}
	if n != len(want)-2 {
		t.Errorf("%d rows, want %d", n, len(want)-2)
	}
}

func TestAWrongFilterIsRefusedByFieldAndValue(t *testing.T) {
	box := newBox(t, sqlite(t), outbox.SQLite)
	for want, f := range map[string]outbox.RowFilter{
		`IDs has "\xff", want UTF-8`:          {IDs: []string{"\xff"}},
		`Keys has "a\x00b", want UTF-8`:       {Keys: []string{"a\x00b"}},
		`ErrorContains has "\x00"`:            {ErrorContains: "\x00"},
		"States has 6, want states from 0":    {States: []outbox.State{6}},
		"RowFilter.Limit is -1":               {Limit: -1},
		"OlderThan is -1s and NewerThan 0s":   {OlderThan: -time.Second},
		"has 10001 values, want 10000 at mos": {IDs: make([]string, 10001)},
	} {
		f.All = true
		for _, err := range box.Rows(t.Context(), f) {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%v, want %s", err, want)
			}
		}
		if _, err := box.Retry(t.Context(), f); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
		if _, err := box.Discard(t.Context(), f); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	for _, change := range []func(context.Context, outbox.RowFilter) (int, error){box.Retry, box.Discard} {
		if _, err := change(t.Context(), outbox.RowFilter{Limit: 3}); !errors.Is(err, outbox.ErrNoFilter) {
			t.Errorf("%v", err)
		}
	}
}

func TestTablesThatCannotBeUsedAreSaidInWords(t *testing.T) {
	bothDialects(t, func(t *testing.T, db *sql.DB, dialect outbox.Dialect) {
		refused := func(want error, words string) {
			t.Helper()
			box, err := outbox.New(db, dialect)
			if err != nil {
				t.Fatal(err)
			}
			all := outbox.RowFilter{All: true}
			_, row := box.Row(t.Context(), "x")
			_, retry := box.Retry(t.Context(), all)
			_, discard := box.Discard(t.Context(), all)
			for _, err := range []error{row, retry, discard} {
				if !errors.Is(err, want) || !strings.Contains(err.Error(), words) {
					t.Errorf("%v", err)
				}
			}
		}
		refused(outbox.ErrNoTables, "bunnicula outbox migrate --dsn")
		newBox(t, db, dialect)
		write(t, db, "INSERT INTO bunnicula_schema (version_id, is_applied) VALUES (99, true)")
		refused(outbox.ErrNewerSchema, "they have schema version 99")
	})
}

func TestStatesHaveNames(t *testing.T) {
	for s := outbox.Waiting; s <= outbox.Failed; s++ {
		if got, err := outbox.ParseState(s.String()); err != nil || got != s {
			t.Errorf("%s is %d, %v", s, got, err)
		}
	}
	for _, wrong := range []string{"", "unknown", "Failed"} {
		if _, err := outbox.ParseState(wrong); err == nil || !strings.Contains(err.Error(), "want one of waiting, held, sent, done, parked, failed") {
			t.Errorf("%q: %v", wrong, err)
		}
	}
}

func TestRowsEndWhereTheCallerEndsThem(t *testing.T) {
	db := sqlite(t)
	box := zoo(t, db, outbox.SQLite)
	for r, err := range box.Rows(t.Context(), outbox.RowFilter{}) {
		if r.ID != "waiting" || err != nil {
			t.Errorf("%s was read, %v", r.ID, err)
		}
		break
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var errs []error
	for _, err := range box.Rows(ctx, outbox.RowFilter{}) {
		errs = append(errs, err)
	}
	if len(errs) != 1 || !errors.Is(errs[0], context.Canceled) {
		t.Errorf("%v", errs)
	}
	if n := db.Stats().InUse; n != 0 {
		t.Errorf("%d connections are in use", n)
	}
}
