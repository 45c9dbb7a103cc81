package doctor

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/foreign"
	"github.com/bunnicula-go/bunnicula/internal/outboxlook"
	"github.com/bunnicula-go/bunnicula/outbox"
)

// Limits of what is usual.
const (
	lateRow    = time.Minute // RelayConfig.Late
	farApart   = 5 * time.Second
	manyDead   = 100_000 // rows
	longOpen   = time.Hour
	failedMost = 5 // findings
)

// outboxes returns findings about the outbox in a outboxlook.
func outboxes(f Facts) []Finding {
	if f.Outbox == nil {
		return nil
	}
	o := f.Outbox
	found := o.apart()
	if o.Tables != nil {
		return append(found, o.tables())
	}
	for _, check := range []func() []Finding{o.late, o.failed, o.targets, o.held, o.keys, o.vacuum} {
		found = append(found, check()...)
	}
	return found
}

func (o *Outbox) subject() string { return "outbox " + o.Shown }

func (o *Outbox) finding(severity Severity, check, problem, why, do string) Finding {
	return Finding{severity, check, o.subject(), problem, why, do, pageOutbox}
}

// tables is the finding about tables that cannot be used.
func (o *Outbox) tables() Finding {
	why := "Nothing can be put, and no relay starts."
	migrate := "Run bunnicula outbox migrate with this --dsn, or call Box.Migrate when the app starts."
	switch {
	case errors.Is(o.Tables, outbox.ErrNewerSchema):
		return o.finding(Serious, "outbox-tables", "its tables are of a later version than this command knows",
			"An app of this version, or an earlier one, refuses to use them.", "Update the command, and the apps that are as old.")
	case errors.Is(o.Tables, outbox.ErrNoTables):
		return o.finding(Serious, "outbox-tables", "it has no tables", why, migrate)
	case errors.Is(o.Tables, outbox.ErrOlderSchema):
		return o.finding(Serious, "outbox-tables", "its tables are of an earlier version", "Apps of this version refuse to use them.", migrate)
	}
	return o.finding(Serious, "outbox-tables", "its tables cannot be used: "+foreign.Cut(o.Tables.Error(), 300), why, "See what the database says, and give its user these rights.")
}

// late returns a finding about a row that a relay should have published.
func (o *Outbox) late() []Finding {
	if o.Free <= lateRow {
		return nil
	}
	return []Finding{o.finding(Serious, "outbox-late", fmt.Sprintf("a row is due for %s, and nothing holds it; %s due", roughly(o.Free), rows(o.Stats.Waiting)),
		"No relay publishes it: none runs, none is connected, or it is behind.",
		"Look at /readyz and the log of an app with the relay. If it is behind, see its figures in docs/PERFORMANCE.md, and start another one.")}
}

var varying = regexp.MustCompile(`"[^"]*"|'[^']*'|[0-9a-fA-F-]{8,}|\d+`)

// failed returns findings about rows that the relay has given up, by target and kind of error. What
// differs in numbers, ids and quoted names is of one kind.
func (o *Outbox) failed() []Finding {
	type kind struct{ target, text string }
	groups := map[kind]*outboxlook.Failed{}
	var order []*outboxlook.Failed
	for _, f := range o.Failed {
		k := kind{f.Target.String(), varying.ReplaceAllString(f.Error, "_")}
		if g := groups[k]; g != nil {
			g.Rows += f.Rows
			continue
		}
		groups[k] = &f
		order = append(order, &f)
	}
	slices.SortStableFunc(order, func(a, b *outboxlook.Failed) int { return cmp.Compare(b.Rows, a.Rows) })
	var found []Finding
	others := 0
	for i, g := range order {
		if i >= failedMost {
			others += g.Rows
			continue
		}
		found = append(found, o.finding(Serious, "outbox-failed", fmt.Sprintf("%s to %s failed: %s", rows(g.Rows), shown(g.Target), cmp.Or(foreign.Cut(g.Error, 200), "no error is known")),
			"The relay has given them up. A row with a key holds those behind it.",
			fmt.Sprintf("See one: bunnicula outbox show id=%s. Mend the cause, then try again: bunnicula outbox retry state=failed; or delete them: bunnicula outbox discard state=failed.", g.Sample)))
	}
	if others > 0 {
		found = append(found, o.finding(Serious, "outbox-failed", fmt.Sprintf("%s more failed with other errors", rows(others)),
			"The relay has given them up.", "List them: bunnicula outbox ls state=failed."))
	}
	return found
}

// targets returns findings about rows for what the broker does not have.
func (o *Outbox) targets() []Finding {
	var found []Finding
	for _, t := range o.Missing {
		kind, name := "queue", t.RoutingKey
		if t.Exchange != "" {
			kind, name = "exchange", t.Exchange
		}
		found = append(found, o.finding(Serious, "outbox-target", fmt.Sprintf("%s for %s %s, which the broker does not have", rows(o.Targets[t]), kind, foreign.Word(name)),
			"Each attempt to publish them is refused, until the relay gives them up.",
			fmt.Sprintf("Declare the %s: start its consumer, or use topology apply. If the name is wrong, delete them: bunnicula outbox discard queue=%s.", kind, t.RoutingKey)))
	}
	return found
}

// held returns findings about rows that wait for what will not be done by itself.
func (o *Outbox) held() []Finding {
	counts := map[string]int{}
	sample := map[string]outboxlook.Wait{}
	for _, w := range o.Waits {
		state := ""
		switch {
		case w.Key != "":
			continue
		case w.Gone:
			state = "gone"
		case w.State == outbox.Parked || w.State == outbox.Failed:
			state = w.State.String()
		default:
			continue
		}
		if _, ok := sample[state]; !ok {
			sample[state] = w
		}
		counts[state] += w.Rows
	}
	texts := map[string][3]string{
		"gone":   {"held for a row that is not there any more", "Somebody has deleted it. A relay releases them within a minute, and they are published although it was not done.", "If they must not be, delete them: bunnicula outbox discard needs=%s."},
		"parked": {"held for a row that its consumer has parked", "They are published when it was redriven and done.", "See it in the error queue: bunnicula errors show QUEUE %s. Redrive it. If it is not there any more, delete what needs it and its row: bunnicula outbox discard needs=%[1]s, then id=%[1]s."},
		"failed": {"held for a row that the relay has given up", "They are published when it was published and done.", "See it: bunnicula outbox show id=%s. Then bunnicula outbox retry id=%[1]s, or delete what needs it: bunnicula outbox discard needs=%[1]s."},
	}
	var found []Finding
	for _, state := range []string{"gone", "parked", "failed"} {
		if n := counts[state]; n > 0 {
			t, id := texts[state], sample[state].ID
			found = append(found, o.finding(Warning, "outbox-held", fmt.Sprintf("%s %s, such as %s", rows(n), t[0], foreign.Word(id)), t[1], fmt.Sprintf(t[2], id)))
		}
	}
	return found
}

// keys returns a finding about rows that stand behind failed ones in their keys.
func (o *Outbox) keys() []Finding {
	n, keys := 0, 0
	var first outboxlook.Wait
	for _, w := range o.Waits {
		if w.Key == "" || w.State != outbox.Failed {
			continue
		}
		if n, keys = n+w.Rows, keys+1; keys == 1 {
			first = w
		}
	}
	many := fmt.Sprintf("%d keys", keys)
	switch keys {
	case 0:
		return nil
	case 1:
		many = "1 key"
	}
	return []Finding{o.finding(Serious, "outbox-key", fmt.Sprintf("%s behind failed rows of %s, most of them in key %s", rows(n), many, foreign.Word(first.Key)),
		"A key's rows are published in their order, so they wait until the failed one is published or deleted.",
		fmt.Sprintf("bunnicula outbox retry id=%s, or bunnicula outbox discard id=%[1]s.", first.ID))}
}

// apart returns a finding about clocks.
func (o *Outbox) apart() []Finding {
	if o.Apart.Abs() < farApart {
		return nil
	}
	than := "later"
	if o.Apart < 0 {
		than = "earlier"
	}
	return []Finding{o.finding(Warning, "outbox-clock", fmt.Sprintf("the database's clock is %s %s than this machine's", roughly(o.Apart.Abs()), than),
		"Delays do no harm: they are counted by the database's clock. A time that is given by publisher.At, what Once thinks of old messages, and the times that people compare are wrong by as much.", "Set both by NTP.")}
}

// vacuum returns findings about what PostgreSQL has to clean up.
func (o *Outbox) vacuum() []Finding {
	if o.Vacuum == nil {
		return nil
	}
	var found []Finding
	for _, t := range o.Vacuum.Tables {
		vacuumed := "it was never vacuumed"
		if !t.Never {
			vacuumed = fmt.Sprintf("it was vacuumed %s ago", roughly(t.Vacuumed))
		}
		switch {
		case t.Off:
			found = append(found, o.finding(Serious, "outbox-vacuum", fmt.Sprintf("autovacuum is off for table %s, which has some %d dead rows", t.Name, t.Dead),
				"Each row that is published leaves a dead one. The relay reads them again and again, and becomes slower without end.", fmt.Sprintf("Let it run: ALTER TABLE %s RESET (autovacuum_enabled), and autovacuum = on.", t.Name)))
		case t.Dead > manyDead && t.Dead > 2*t.Live:
			found = append(found, o.finding(Warning, "outbox-vacuum", fmt.Sprintf("table %s has some %d dead rows and %d live ones; %s", t.Name, t.Dead, t.Live, vacuumed),
				"The relay reads dead rows too, and is slower for it.", fmt.Sprintf("Look for long transactions and replication slots that keep them. Then VACUUM %s.", t.Name)))
		}
	}
	if o.Vacuum.Oldest > longOpen {
		found = append(found, o.finding(Warning, "outbox-vacuum", fmt.Sprintf("a transaction in this database is open for %s", roughly(o.Vacuum.Oldest)),
			"No vacuum removes what was deleted since it began, so the relay becomes slower.", "Find it in pg_stat_activity. idle_in_transaction_session_timeout ends those that are forgotten."))
	}
	return found
}

func rows(n int) string {
	if n == 1 {
		return "1 row"
	}
	return fmt.Sprintf("%d rows", n)
}

func shown(t outboxlook.Target) string {
	if t.Exchange == "" {
		return "queue " + foreign.Word(t.RoutingKey)
	}
	return fmt.Sprintf("exchange %s with key %s", foreign.Word(t.Exchange), foreign.Word(t.RoutingKey))
}

// roughly is a duration as people say it.
func roughly(d time.Duration) string {
	if d >= time.Minute {
		return d.Round(time.Second).String()
	}
	return d.Round(time.Millisecond).String()
}
