package doctor

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/bunnicula-go/bunnicula/internal/inspect"
	"github.com/bunnicula-go/bunnicula/internal/management"
	"github.com/bunnicula-go/bunnicula/topology"
)

// meanings say why a difference in an argument matters.
var meanings = map[string]struct{ why, see string }{
	"x-queue-type":              {"Only quorum queues are replicated, dead-letter at least once, and count deliveries. A classic one can lose what moves between queues.", pageAtLeast},
	"type":                      {"Messages are routed in another way than the file says.", pageOperations},
	"x-overflow":                {"With drop-head, the default, a full queue deletes confirmed messages; and without reject-publish a quorum queue dead-letters at most once, and nobody says so.", pageAtLeast},
	"x-delivery-limit":          {"A queue without a limit has none before RabbitMQ 4.0, and 20 from then on; -1 means zero before, and no limit then.", pageLimit},
	"x-dead-letter-exchange":    {"What expires, or comes back too often, goes nowhere: it is dropped.", pageAtLeast},
	"x-dead-letter-routing-key": {"What expires, or comes back too often, goes to another queue, or nowhere.", pageAtLeast},
	"x-dead-letter-strategy":    {"What is dead-lettered at most once is lost if its target cannot take it at that moment.", pageAtLeast},
	"x-message-ttl":             {"Messages wait for another time than is wanted, or leave a queue that they should stay in.", pageTTL},
	"x-expires":                 {"The queue is deleted with all its messages when nobody uses it.", pageTTL},
	"x-max-length":              {"A full queue refuses or deletes messages.", pageLength},
	"x-max-length-bytes":        {"A full queue refuses or deletes messages.", pageLength},
}

// differences returns findings for which the broker would refuse a consumer's declarations.
func differences(f Facts) []Finding {
	var found []Finding
	for _, c := range f.Changes {
		switch c.Action {
		case inspect.Refused:
			finding := Finding{Serious, "differs", c.What + " " + c.Name, "", "A consumer that declares it does not start (406).", sentence(c.Remedy), pageOperations}
			var problems []string
			for i, d := range c.Differences {
				problems = append(problems, fmt.Sprintf("%s is %s, want %s", d.Argument, known(d.Existing), known(d.Wanted)))
				if m, ok := meanings[d.Argument]; ok && i == 0 {
					finding.Why, finding.See = m.why+" "+finding.Why, m.see
				}
			}
			finding.Problem = cmp.Or(strings.Join(problems, "; "), c.Problem)
			found = append(found, finding)
		case inspect.Lacking:
			found = append(found, Finding{Serious, "missing", c.What + " " + c.Name, "it is not there, and " + c.Problem,
				"The consumer does not start, or holds what it cannot place.", sentence(c.Remedy), pageOperations})
		case inspect.Unasked:
			if c.What != "binding" {
				found = append(found, Finding{Note, "not-compared", c.What + " " + c.Name, "this user may not compare it",
					c.Problem, "Run this as a user who may configure it, or give --management-url.", pageAccess})
			}
		}
	}
	return found
}

func sentence(s string) string { return strings.ToUpper(s[:1]) + s[1:] + "." }

func known(value string) string {
	if value == "" {
		return "something else"
	}
	return value
}

// presence returns findings about queues that a consumer needs and that do not exist.
func presence(f Facts) []Finding {
	var found []Finding
	for _, c := range f.Consumers {
		for _, q := range c.Topology.Queues {
			if q.Existing || f.Counts[q.Name].State != inspect.Absent || q.Role == topology.RoleMain && f.family(q.Name) != nil {
				continue
			}
			subject, mainIsThere := "queue "+q.Name, f.Counts[c.Plan.Queue].State == inspect.Present
			switch {
			case q.Role == topology.RoleMain:
				severity := Warning
				if c.Guessed {
					severity = Serious
				}
				found = append(found, Finding{severity, "missing", subject, "it is not there",
					"What is published to it is refused as unroutable. A consumer declares it when it starts.", "Start the consumer, or declare it with topology apply.", pageOperations})
			case !mainIsThere: // reported already
			case q.Role == topology.RoleQuarantine:
				found = append(found, Finding{Warning, "no-quarantine", subject, "it is not there",
					"A message whose process died twice is handled alone from there. Until a consumer declares it, it is held.", "Start a consumer of this version, or declare it with topology apply.", pageOperations})
			case !c.Guessed:
				found = append(found, Finding{Warning, "missing", subject, "it is not there",
					"What is to be retried or parked there is held until a consumer declares it.", "Start the consumer, or declare it with topology apply.", pageOperations})
			}
		}
	}
	return found
}

// use returns findings about the consumers of queues.
func use(f Facts) []Finding {
	var found []Finding
	for _, name := range slices.Sorted(maps.Keys(f.Counts)) {
		q := f.Counts[name]
		if q.State != inspect.Present || q.Ready == nil || q.Consumers == nil {
			continue
		}
		subject := "queue " + name
		switch {
		case q.Role == topology.RoleMain && f.explained(name):
		case q.Role == topology.RoleMain && *q.Consumers == 0:
			found = append(found, f.notConsumed(name, *q.Ready))
		case q.Role == topology.RoleRetry && *q.Consumers > 0:
			found = append(found, Finding{Serious, "consumed", subject, fmt.Sprintf("it has consumers: %d", *q.Consumers),
				"Messages wait there to go back to the main queue; who consumes them takes them away.", "Stop those consumers.", pageOperations})
		case q.Role == topology.RoleQuarantine && *q.Consumers > 0:
			found = append(found, Finding{Warning, "consumed", subject, fmt.Sprintf("it has consumers: %d", *q.Consumers),
				"Bunnicula takes from it one message at a time and never subscribes; who does takes many that may kill it.", "Stop those consumers.", pageOperations})
		}
	}
	return found
}

// explained says whether another finding says why nobody consumes a queue.
func (f Facts) explained(queue string) bool {
	paused := f.paused(queue)
	return paused || f.family(queue) != nil
}

// notConsumed is the finding about a main queue without consumers and with this many messages.
func (f Facts) notConsumed(queue string, ready int) Finding {
	const start = "Start its consumer"
	subject, waiting := "queue "+queue, f.comeBack(queue)
	switch {
	case ready > 0:
		return Finding{Serious, "not-consumed", subject, fmt.Sprintf("%s in it, and nobody consumes", messages(ready)),
			"Nothing is done until somebody does.", start + ", or see in its log and at /readyz why it does not consume.", pageOperations}
	case waiting > 0:
		return Finding{Warning, "not-consumed", subject, fmt.Sprintf("nobody consumes, and %s in its retry queues", messages(waiting)),
			"When their time is over they come back to it, and stay. What is due later than that does not wait on, and may come late.", start + ".", pageOperations}
	}
	return Finding{Warning, "not-consumed", subject, "nobody consumes", "Nothing will be done of what is published to it.", start + ".", pageOperations}
}

// contents returns findings about messages in queues that should be empty.
func contents(f Facts) []Finding {
	var found []Finding
	for _, name := range slices.Sorted(maps.Keys(f.Counts)) {
		q := f.Counts[name]
		subject := "queue " + name
		if q.Ready != nil && *q.Ready > 0 && q.Role == topology.RoleError {
			found = append(found, Finding{Warning, "parked", subject, messages(*q.Ready) + " given up",
				"Nothing takes them out by itself.", fmt.Sprintf("See why: bunnicula errors groups %s. Mend the cause, then move them back with bunnicula errors redrive.", f.errorsOf(name)), pageOperations})
		}
		if q.Ready != nil && *q.Ready > 0 && q.Role == topology.RoleQuarantine {
			found = append(found, Finding{Warning, "quarantined", subject, messages(*q.Ready) + " whose process or connection died twice",
				"They are handled alone, one after the other. If they stay, nobody consumes, or one keeps killing.", "Look at what the consumer's processes die of.", pageOperations})
		}
		if k, ok := f.details(name); ok && k.Kept != nil && *k.Kept > 0 {
			found = append(found, Finding{Serious, "kept", subject, messages(*k.Kept) + " that the broker could not dead-letter yet",
				"Their time is over, and the target is missing or full, or was not up yet when the broker started. They are kept, show in no depth, and are lost if this queue is deleted. At 32 of them the others that are due wait behind them.",
				"Declare the target, or make room in it. The broker tries again after three minutes, six at the latest, unless dead_letter_worker_publisher_confirm_timeout is set.", pageLate})
		}
	}
	return found
}

// errorsOf returns the arguments with which bunnicula errors finds an error queue.
func (f Facts) errorsOf(queue string) string {
	for _, c := range f.Consumers {
		main := c.Plan.Queue
		if of, _, is := topology.PartitionOf(main); is {
			main = of // the partitions share it
		}
		if c.Plan.ErrorQueue == queue && queue != topology.ErrorQueue(main) {
			return fmt.Sprintf("%s --error-queue %s", main, queue)
		}
	}
	return queue
}

func messages(n int) string {
	if n == 1 {
		return "1 message"
	}
	return fmt.Sprintf("%d messages", n)
}

func (f Facts) details(queue string) (management.Queue, bool) {
	if f.Known == nil {
		return management.Queue{}, false
	}
	q, ok := f.Known.Queues[queue]
	return q, ok
}

// traps returns findings about arguments and policies with which a queue loses messages. Declaring
// a queue does not show its policies.
func traps(f Facts) []Finding {
	var found []Finding
	for _, name := range slices.Sorted(maps.Keys(f.Counts)) {
		want := f.wanted(name)
		k, ok := f.details(name)
		if !ok { // as the file declares it
			k.Type, k.Arguments = f.kind(want), want.Arguments
		}
		subject := "queue " + name
		for _, p := range k.Settings().Problems(want) {
			severity := Warning
			if p.Serious {
				severity = Serious
			}
			found = append(found, Finding{severity, p.Check, subject, p.Problem, p.Why, p.Do, p.See})
		}
		if ok && k.Type == "classic" && f.Counts[name].Role == topology.RoleMain {
			found = append(found, Finding{Warning, "classic", subject, "it is a classic queue",
				"It lives on one node, can lose what is dead-lettered, and counts no deliveries: a message that kills its process is delivered for ever.",
				"Use a quorum queue, under another name, when it has drained.", pageAtLeast})
		}
	}
	return found
}

// wanted returns a queue as its consumer needs it. Of a queue that no consumer has, only the role
// is known.
func (f Facts) wanted(queue string) topology.Queue {
	for _, c := range f.Consumers {
		for _, q := range c.Topology.Queues {
			if q.Name == queue {
				return q
			}
		}
	}
	return topology.Queue{Name: queue, Role: f.Counts[queue].Role}
}

// NotLooked is the check of the finding about what could not be looked at.
const NotLooked = "not-looked"

// unlooked says that nobody could look at policies.
func unlooked(f Facts) []Finding {
	if f.Known != nil {
		return nil
	}
	return []Finding{{Note, NotLooked, "policies", "they were not looked at",
		"A policy may drop what is parked, let messages expire, or make dead-lettering lose some. AMQP does not tell.", "Give --management-url.", pageAccess}}
}

// replicas returns findings about quorum queues in clusters.
func replicas(f Facts) []Finding {
	var found []Finding
	for _, name := range slices.Sorted(maps.Keys(f.Counts)) {
		k, ok := f.details(name)
		if !ok || k.Type != "quorum" || len(k.Members) == 0 {
			continue
		}
		if len(k.Online) < len(k.Members) {
			severity := Warning
			if 2*len(k.Online) <= len(k.Members) {
				severity = Serious
			}
			found = append(found, Finding{severity, "replicas-offline", "queue " + name, fmt.Sprintf("%d of %d members are online", len(k.Online), len(k.Members)),
				"It works while most of them are.", "Start the others: " + strings.Join(missing(k.Members, k.Online), ", ") + ".", pageReplicas})
		}
		if len(f.Nodes) >= 3 && len(k.Members) < 3 {
			found = append(found, Finding{Warning, "few-replicas", "queue " + name, fmt.Sprintf("it has %d of the cluster's %d nodes", len(k.Members), len(f.Nodes)),
				"With less than three it stands still when one of them is down.", "rabbitmq-queues grow adds members.", pageReplicas})
		}
	}
	return found
}

func missing(all, some []string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(s string) bool { return slices.Contains(some, s) })
}
