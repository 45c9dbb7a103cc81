package main

import (
	"database/sql"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bunnicula-go/bunnicula/pipeline"
)

// facts of a run in which all went well.
func facts() Facts {
	f := Facts{Options: Options{Prefix: "p"}, Want: Wanted{1, 2, 3}, Saved: 3, Rows: Difference{Rows: 3}}
	f.Progress = pipeline.Progress{Complete: true, Stages: []pipeline.StageProgress{
		{Queue: "p.accounts", Emitted: 1, Done: 1}, {Queue: "p.transactions", Emitted: 2, Done: 2}, {Queue: "p.rows", Emitted: 3, Done: 3},
	}}
	f.Counts.Progress = f.Progress
	return f
}

func TestWhatIsWrongIsNamed(t *testing.T) {
	if a := audit(facts()); !a.OK() || a.String() != "all 3 "+verdict {
		t.Errorf("%s", a)
	}
	for want, change := range map[string]func(*Facts){
		"missing: a row":                       func(f *Facts) { f.Rows.N, f.Rows.First = 1, []string{"missing: a row"} },
		"rows: 21 are different in all":        func(f *Facts) { f.Rows.N, f.Rows.First = 21, make([]string, 20) },
		"rows: 2 were compared":                func(f *Facts) { f.Rows.Rows = 2 },
		"the job is not said to be complete":   func(f *Facts) { f.Progress.Complete = false },
		"was not told that the job is":         func(f *Facts) { f.Counts.Progress.Complete = false },
		"of p.rows 3 were emitted and 2 done":  func(f *Facts) { f.Progress.Stages = slices.Clone(f.Progress.Stages); f.Progress.Stages[2].Done = 2 },
		"of p.accounts 0 were emitted":         func(f *Facts) { f.Progress.Stages = f.Progress.Stages[1:] },
		"1 messages of the job are parked":     func(f *Facts) { f.Progress.Stages[0].Parked = 1 },
		"queues: 3 messages are left":          func(f *Facts) { f.State.Waiting = 3 },
		"queues: 1 messages are parked":        func(f *Facts) { f.State.Parked = 1 },
		"progress: something was wrong before": func(f *Facts) { f.Counts.Wrong = []string{"progress: something was wrong before"} },
	} {
		f := facts()
		change(&f)
		if a := audit(f); a.OK() || !strings.Contains(a.String(), want) {
			t.Errorf("it does not say %q: %s", want, a)
		}
	}
}

func TestAProgressThatIsAheadOfTheDatabaseIsWrong(t *testing.T) {
	w := &Watch{rows: "p.rows", want: Wanted{1, 2, 3}}
	done := facts().Progress
	if wrong := w.judge(done, 3); wrong != nil {
		t.Errorf("%q", wrong)
	}
	if wrong := w.judge(done, 2); len(wrong) != 2 {
		t.Errorf("%q", wrong)
	}
	early := done
	early.Stages = early.Stages[:2]
	if wrong := w.judge(early, 2); len(wrong) != 1 || !strings.Contains(wrong[0], "said to be complete when the database had 2 of 3 rows") {
		t.Errorf("%q", wrong)
	}
}

func TestDatabasesAreComparedRowByRow(t *testing.T) {
	all := []Row{{"a", 1, "d", 5, "t"}, {"a", 2, "d", 5, "t"}, {"b", 1, "d", 5, "t"}}
	changed := slices.Clone(all)
	changed[1].Cents = 6
	for _, c := range []struct {
		name string
		job  []Row
		want Difference
	}{
		{"the same in another order", []Row{all[2], all[0], all[1]}, Difference{Rows: 3}},
		{"one twice", append(slices.Clone(all), all[1]), Difference{3, 1, []string{"too much: {Account:a Line:2 Date:d Cents:5 Text:t}"}}},
		{"the last missing", all[:2], Difference{3, 1, []string{"missing: {Account:b Line:1 Date:d Cents:5 Text:t}"}}},
		{"one changed", changed, Difference{3, 2, []string{"missing: {Account:a Line:2 Date:d Cents:5 Text:t}", "too much: {Account:a Line:2 Date:d Cents:6 Text:t}"}}},
		{"none", nil, Difference{3, 3, []string{"missing: {Account:a Line:1 Date:d Cents:5 Text:t}", "missing: {Account:a Line:2 Date:d Cents:5 Text:t}", "missing: {Account:b Line:1 Date:d Cents:5 Text:t}"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			job, plain := filled(t, c.job), filled(t, all)
			d, err := compare(t.Context(), job, plain)
			if err != nil || d.Rows != c.want.Rows || d.N != c.want.N || !slices.Equal(d.First, c.want.First) {
				t.Errorf("%+v, %v; want %+v", d, err, c.want)
			}
		})
	}
	broken := filled(t, nil)
	if err := drop(t.Context(), broken); err != nil {
		t.Fatal(err)
	}
	if _, err := compare(t.Context(), broken, filled(t, all)); err == nil {
		t.Error("a database without the table is no error")
	}
}

func filled(t *testing.T, rows []Row) *sql.DB {
	t.Helper()
	db, err := open(filepath.Join(t.TempDir(), "rows.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	if _, err := db.ExecContext(t.Context(), schema); err != nil {
		t.Fatal(err)
	}
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		if err := insert(t.Context(), tx, r); err != nil {
			t.Fatal(err)
		}
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	return db
}
