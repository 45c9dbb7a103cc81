package outbox

import (
	"fmt"
	"strings"
	"sync/atomic"
)

// task is what a Box does with the tables, for which the database user needs rights.
// docs/SECURITY.md has those of all that is done with them. Those that a task is not asked for here
// are the database's to refuse, where that harms no transaction of a caller.
type task uint32

const (
	looking    task = iota // all else begins with it
	putting                // Put
	following              // Put with After
	cancelling             // Cancel
	flushing               // Flush
	relaying               // a relay, with its clean-up
)

// grants are privileges on tables.
type grants []grant

type grant struct {
	table      string
	privileges []string
}

// tasks are the rights for each task on PostgreSQL. A lock on a row takes UPDATE.
var tasks = map[task]grants{
	looking:    {on("outbox", "SELECT"), on("schema", "SELECT")},
	putting:    {on("outbox", "SELECT", "INSERT"), on("schema", "SELECT")},
	following:  {on("outbox", "SELECT", "INSERT", "UPDATE"), on("schema", "SELECT")},
	cancelling: {on("outbox", "SELECT", "UPDATE", "DELETE"), on("schema", "SELECT")},
	flushing:   {on("outbox", "SELECT", "UPDATE", "DELETE"), on("schema", "SELECT")},
	relaying:   {on("outbox", "SELECT", "UPDATE", "DELETE"), on("inbox", "SELECT", "DELETE"), on("schema", "SELECT")},
}

func on(table string, privileges ...string) grant { return grant{"bunnicula_" + table, privileges} }

// query asks whether the tables are there, and whether the user has the privileges. It does not
// fail if a table is missing.
func (g grants) query() string {
	var there, allowed []string
	for _, one := range g {
		table := "to_regclass('" + one.table + "')"
		there = append(there, table+" IS NOT NULL")
		for _, p := range one.privileges {
			allowed = append(allowed, "has_table_privilege("+table+", '"+p+"')")
		}
	}
	return "SELECT " + strings.Join(there, " AND ") + ", COALESCE(" + strings.Join(allowed, " AND ") + ", FALSE)"
}

// String is the privileges in words.
func (g grants) String() string {
	var parts []string
	for _, one := range g {
		parts = append(parts, listed(one.privileges)+" on "+one.table)
	}
	return strings.Join(parts[:len(parts)-1], ", ") + ", and " + parts[len(parts)-1]
}

// listed is "a, b and c".
func listed(words []string) string {
	if len(words) == 1 {
		return words[0]
	}
	return fmt.Sprint(strings.Join(words[:len(words)-1], ", "), " and ", words[len(words)-1])
}

// checked remembers for which tasks the tables and the rights were seen. Whoever has seen them sets
// it, and nobody sets it back.
type checked struct{ tasks atomic.Uint32 }

func (c *checked) add(t task) { c.tasks.Or(1 << t) }

func (c *checked) has(t task) bool { return c.tasks.Load()&(1<<t) != 0 }
