package main

import (
	"encoding/csv"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/bunnicula-go/bunnicula/internal/foreign"
	"github.com/bunnicula-go/bunnicula/outbox"
)

// outboxTerms explains TERM.
const outboxTerms = `
  state=failed,held        also waiting, sent, done, parked: one of these
  queue=emails             the queue, or with an exchange the routing key
  id=a,b                   also exchange, key, job, and needs: the row that it needs
  error~"no queue"         a part of the last attempt's error
  older=2h newer=3d        put longer ago, less long ago: 90s, 15m, 2h30m, 3d;
                           'age>2h' and 'age<3d' are the same
`

// rowTerm is a term, taken apart.
var rowTerm = regexp.MustCompile(`^(state|queue|id|exchange|key|job|needs|error|older|newer|age)([=~<>]?)((?s).*)$`)

// secondTerm is the beginning of another term within a value.
var secondTerm = regexp.MustCompile(`\s(state|queue|id|exchange|key|job|needs|older|newer)=|\serror~|\sage[<>]`)

// rowFilter makes a RowFilter of terms.
func rowFilter(terms []string) (outbox.RowFilter, error) {
	var f outbox.RowFilter
	for _, term := range terms {
		if err := addTerm(&f, term); err != nil {
			return f, usage(err)
		}
	}
	return f, nil
}

func addTerm(f *outbox.RowFilter, term string) error {
	parts := rowTerm.FindStringSubmatch(term)
	if parts == nil {
		return fmt.Errorf("a term is %q, want one of state, queue, id, exchange, key, job, needs, error, older, newer with a value, such as state=failed", term)
	}
	key, op, value := parts[1], parts[2], parts[3]
	if secondTerm.MatchString(value) && !strings.HasPrefix(value, `"`) {
		return fmt.Errorf("a term is %q, want each term as an argument of its own, or its value in double quotes", term)
	}
	switch key {
	case "error":
		return onceText(&f.ErrorContains, key, op, value)
	case "older", "newer", "age":
		return addAge(f, key, op, value)
	}
	if op != "=" {
		return fmt.Errorf("a term is %q, want %s= and a value, such as %s=%s", term, key, key, exampleOf(key))
	}
	values, err := valuesOf(value)
	if err != nil || slices.Contains(values, "") { // probably an unset variable of a shell
		return fmt.Errorf("%s is %q, want a value, or several with commas between; one with a comma in double quotes", key, value)
	}
	return addValues(f, key, values)
}

func exampleOf(key string) string {
	if key == "state" {
		return "failed"
	}
	return "a,b"
}

// valuesOf divides a value at its commas, as a line of CSV.
func valuesOf(value string) ([]string, error) {
	if value == "" {
		return nil, errors.New("empty")
	}
	r := csv.NewReader(strings.NewReader(value))
	r.LazyQuotes = true
	return r.Read()
}

func addValues(f *outbox.RowFilter, key string, values []string) error {
	if key == "state" {
		for _, v := range values {
			state, err := outbox.ParseState(v)
			if err != nil {
				return fmt.Errorf("state has %q, want some of waiting,held,sent,done,parked,failed", v)
			}
			f.States = append(f.States, state)
		}
		return nil
	}
	to := map[string]*[]string{"queue": &f.RoutingKeys, "id": &f.IDs, "exchange": &f.Exchanges, "key": &f.Keys, "job": &f.Jobs, "needs": &f.Needs}[key]
	*to = append(*to, values...)
	return nil
}

func onceText(to *string, key, op, value string) error {
	switch {
	case op != "~":
		return fmt.Errorf("a term is %q, want error~ and a part of the text, such as error~refused", key+op+value)
	case *to != "":
		return fmt.Errorf("%s is %q, want it once", key, value)
	}
	if value = strings.TrimSuffix(strings.TrimPrefix(value, `"`), `"`); value == "" {
		return fmt.Errorf("%s is %q, want a part of the text", key, value)
	}
	*to = value
	return nil
}

func addAge(f *outbox.RowFilter, key, op, value string) error {
	to, want := &f.OlderThan, "="
	switch {
	case key == "age" && op == "":
		return fmt.Errorf("a term is %q, want older=2h or newer=2h: a shell takes what stands behind > for the name of a file", key+value)
	case key == "age":
		want = op
		if op == "<" {
			to = &f.NewerThan
		}
	case key == "newer":
		to = &f.NewerThan
	}
	d, err := foreign.ParseDuration(value)
	switch {
	case op != want || op == "=" && key == "age" || op == "~":
		return fmt.Errorf("a term is %q, want older=2h or newer=2h", key+op+value)
	case *to != 0:
		return fmt.Errorf("%s is %q, want it once", key, value)
	case err != nil || d <= 0:
		return fmt.Errorf("%s is %q, want a duration above 0, such as 90s, 15m, 2h30m or 3d", key, value)
	}
	*to = d
	return nil
}

// rowChoice holds the flags of commands that change rows.
type rowChoice struct {
	ids    []string
	all    bool
	limit  int
	dryRun bool
	yes    bool
}

func (c *rowChoice) addTo(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringArrayVar(&c.ids, "id", nil, "a message id, as id=, with whatever is in it; several times")
	flags.BoolVar(&c.all, "all", false, "all rows, where there is no term")
	flags.IntVar(&c.limit, "limit", 0, "how many at most, those that were put first; 0 for all")
	changeFlags(cmd, &c.dryRun, &c.yes)
}

// filter makes the RowFilter of the terms and flags, and checks that changes are allowed.
func (a *app) rowsToChange(what string, c *rowChoice, terms []string) (outbox.RowFilter, error) {
	f, err := rowFilter(terms)
	if err != nil {
		return f, err
	}
	if slices.Contains(c.ids, "") {
		return f, usage(errors.New("--id is empty, want a value"))
	}
	f.IDs = append(f.IDs, c.ids...)
	f.All, f.Limit, f.DryRun = c.all, c.limit, c.dryRun
	switch {
	case c.limit < 0:
		return f, usage(fmt.Errorf("--limit is %d, want 0 or more", c.limit))
	case c.all && !f.IsZero():
		return f, usage(errors.New("--all and a choice are given, want one of them"))
	case !c.all && f.IsZero():
		return f, usage(errors.New("which rows? Want terms such as state=failed, --id, or --all"))
	case c.dryRun:
		return f, nil
	}
	if err := a.mayChange(what); err != nil {
		return f, err
	}
	return f, a.canAsk(c.yes)
}

// ago returns how long ago a time of the database is, as the database's clock says.
func ago(now, at time.Time) string { return age(now, &at) }
