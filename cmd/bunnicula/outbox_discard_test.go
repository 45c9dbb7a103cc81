package main

import (
	"strings"
	"testing"

	"github.com/bunnicula-go/bunnicula/outbox"
)

func TestDiscardTakesWhatWasPublishedOnlyIfItIsNamed(t *testing.T) {
	simulated(t, func(t *testing.T, o *orders) {
		o.put("i-parked", "orders", "x", outbox.Job("import-18"))
		o.put("j-done", "orders", "x", outbox.Job("import-18"))
		o.exec("UPDATE bunnicula_outbox SET state = 4 WHERE id = 'i-parked'", "UPDATE bunnicula_outbox SET state = 3 WHERE id = 'j-done'")
		s := o.shell()
		for _, step := range []struct{ terms, want string }{
			{"queue=order.new exchange=shop", "nothing to discard"},
			{"job=import-18", "1 row of " + o.file + " would be"},
			{"state=parked", "1 row of " + o.file + " would be"},
			{"id=d-sent,j-done", "1 row of " + o.file + " would be"},
			{"state=sent,done", "2 rows of " + o.file + " would be"},
			{"--all", "7 rows of " + o.file + " would be"},
		} {
			s.run(append([]string{"outbox", "discard", "--dry-run"}, strings.Fields(step.terms)...)...).want(t, exitOK, step.want)
		}
		s.run("outbox", "discard", "job=import-18", "--yes").want(t, exitOK, "1 row of "+o.file+" discarded")
		s.run("outbox", "ls", "job=import-18", "--json").want(t, exitOK, `"id":"j-done"`)
		s.run("outbox", "discard", "id=d-sent", "--yes").want(t, exitFailed, "1 row is needed by rows that are held")
		s.run("outbox", "discard", "id=d-sent,e-held,f-held", "--yes").want(t, exitOK, "3 rows of "+o.file+" discarded")
	})
}
