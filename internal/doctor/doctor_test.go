package doctor

import (
	"cmp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/bunnicula-go/bunnicula/internal/inspect"
	"github.com/bunnicula-go/bunnicula/internal/management"
	"github.com/bunnicula-go/bunnicula/internal/transport"
	"github.com/bunnicula-go/bunnicula/topology"
	"github.com/bunnicula-go/bunnicula/topology/topologyfile"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func n(i int) *int { return &i }

// healthy returns facts without a finding. Each test breaks one of them.
func healthy(t *testing.T) Facts {
	t.Helper()
	plan := topology.Plan{Queue: "orders", Delays: []time.Duration{10 * time.Second}}
	topo, err := topology.New(plan)
	if err != nil {
		t.Fatal(err)
	}
	f := Facts{
		Peer:      transport.Peer{Product: "RabbitMQ", Version: "4.0.5", Addr: "127.0.0.1:5672", User: "orders-worker", Heartbeat: 10 * time.Second},
		Consumers: []Consumer{{Consumer: topologyfile.Consumer{Plan: plan, Topology: topo}}},
		Counts:    map[string]inspect.QueueStatus{},
		Known:     &inspect.Known{Queues: map[string]management.Queue{}},
		Publish:   true,
		Read:      map[string]bool{"orders": true, "orders-quarantine": true},
		Nodes:     []management.Node{{Name: "one", Running: true}, {Name: "two", Running: true}, {Name: "three", Running: true}},
	}
	nodes := []string{"one", "two", "three"}
	for _, q := range topo.Queues {
		consumers := 0
		if q.Role == topology.RoleMain {
			consumers = 2
		}
		f.Counts[q.Name] = inspect.QueueStatus{Queue: q.Name, Role: q.Role, State: inspect.Present, Ready: n(0), Consumers: n(consumers)}
		f.Known.Queues[q.Name] = management.Queue{Name: q.Name, Type: "quorum", Arguments: q.Arguments, Kept: n(0), Members: nodes, Online: nodes}
		f.Changes = append(f.Changes, inspect.Change{Action: inspect.Keep, What: "queue", Name: q.Name, Role: q.Role})
	}
	return f
}

// count changes the counts of a queue.
func count(f Facts, queue string, ready, consumers int) {
	q := f.Counts[queue]
	q.Ready, q.Consumers = n(ready), n(consumers)
	f.Counts[queue] = q
}

func gone(f Facts, queue string) {
	f.Counts[queue] = inspect.QueueStatus{Queue: queue, Role: f.Counts[queue].Role, State: inspect.Absent}
	delete(f.Known.Queues, queue)
	for i := range f.Changes {
		if f.Changes[i].Name == queue {
			f.Changes[i].Action = inspect.Create
		}
	}
}

// said changes the management API's answer about a queue.
func said(f Facts, queue string, change func(*management.Queue)) {
	k := f.Known.Queues[queue]
	change(&k)
	f.Known.Queues[queue] = k
}

func policy(f Facts, queue string, values management.Values) {
	said(f, queue, func(q *management.Queue) { q.Policy, q.Effective = "ours", values })
}

func argument(f Facts, queue, name string, value any) {
	said(f, queue, func(q *management.Queue) {
		changed := management.Values{name: value}
		for k, v := range q.Arguments {
			if k != name {
				changed[k] = v
			}
		}
		if value == nil {
			delete(changed, name)
		}
		q.Arguments = changed
	})
}

func TestNothingIsSaidOfWhatIsHealthyButNotes(t *testing.T) {
	for _, f := range Diagnose(healthy(t)) {
		if f.Severity != Note {
			t.Errorf("%+v", f)
		}
	}
}

// Each row breaks one fact. The result is exactly that one finding.
func TestEachThingThatIsWrongIsFound(t *testing.T) {
	for name, test := range map[string]struct {
		broken func(*Facts)
		want   Finding
	}{
		"a broker that is too old":  {func(f *Facts) { f.Peer.Version = "3.9.29" }, Finding{Severity: Serious, Check: "broker-version", Subject: "RabbitMQ 3.9.29"}},
		"a broker that is very new": {func(f *Facts) { f.Peer.Version = "4.4.0" }, Finding{Severity: Warning, Check: "broker-version", Subject: "RabbitMQ 4.4.0"}},
		"a broker of somebody else": {func(f *Facts) { f.Peer.Product, f.Peer.Version = "LavinMQ", "2.1.0" }, Finding{Severity: Warning, Check: "broker-version", Subject: "LavinMQ 2.1.0"}},
		"a version that is none":    {func(f *Facts) { f.Peer.Version = "?" }, Finding{Severity: Warning, Check: "broker-version", Subject: "RabbitMQ ?"}},
		"no TLS":                    {func(f *Facts) { f.Peer.Addr = "10.0.0.1:5672" }, Finding{Severity: Warning, Check: "no-tls", Subject: "connection to 10.0.0.1:5672"}},
		"guest from afar":           {func(f *Facts) { f.Peer.Addr, f.Peer.TLS, f.Peer.User = "10.0.0.1:5672", true, "guest" }, Finding{Severity: Warning, Check: "guest", Subject: "user guest"}},
		"no heartbeat":              {func(f *Facts) { f.Peer.Heartbeat = 0 }, Finding{Severity: Warning, Check: "heartbeat", Subject: "connection to 127.0.0.1:5672"}},
		"a slow heartbeat":          {func(f *Facts) { f.Peer.Heartbeat = 10 * time.Minute }, Finding{Severity: Warning, Check: "heartbeat", Subject: "connection to 127.0.0.1:5672"}},
		"a node that is down":       {func(f *Facts) { f.Nodes[1].Running = false }, Finding{Severity: Serious, Check: "node-down", Subject: "node two"}},
		"a memory alarm":            {func(f *Facts) { f.Nodes[1].Memory = true }, Finding{Severity: Serious, Check: "alarm", Subject: "node two"}},
		"a disk alarm":              {func(f *Facts) { f.Nodes[1].Disk = true }, Finding{Severity: Serious, Check: "alarm", Subject: "node two"}},
		"a partition":               {func(f *Facts) { f.Nodes[1].Partitions = []string{"one"} }, Finding{Severity: Serious, Check: "partition", Subject: "node two"}},
		"no right to publish":       {func(f *Facts) { f.Publish = false }, Finding{Severity: Warning, Check: "may-not-publish", Subject: "user orders-worker"}},
		"an alarm, seen by AMQP":    {func(f *Facts) { f.Blocked, f.Publish = "low on memory", false }, Finding{Severity: Serious, Check: "blocked", Subject: "connection to 127.0.0.1:5672"}},
		"no right to consume":       {func(f *Facts) { f.Read["orders"] = false }, Finding{Severity: Warning, Check: "may-not-consume", Subject: "user orders-worker"}},
		"a queue that differs":      {func(f *Facts) { f.Changes[1] = refused("orders-retry-10s", "x-overflow") }, Finding{Severity: Serious, Check: "differs", Subject: "queue orders-retry-10s"}},
		"a queue that is not taken": {func(f *Facts) {
			f.Changes[0] = inspect.Change{Action: inspect.Refused, What: "queue", Name: "orders", Problem: "p", Remedy: "r"}
		}, Finding{Severity: Serious, Check: "differs", Subject: "queue orders", Problem: "p"}},
		"a queue that must be there": {func(f *Facts) {
			f.Changes[0] = inspect.Change{Action: inspect.Lacking, What: "queue", Name: "orders", Problem: "p", Remedy: "r"}
		}, Finding{Severity: Serious, Check: "missing", Subject: "queue orders"}},
		"a queue that is not compared": {func(f *Facts) {
			f.Changes[0] = inspect.Change{Action: inspect.Unasked, What: "queue", Name: "orders", Problem: "p"}
		}, Finding{Severity: Note, Check: "not-compared", Subject: "queue orders"}},
		"no main queue":                 {func(f *Facts) { gone(*f, "orders") }, Finding{Severity: Warning, Check: "missing", Subject: "queue orders"}},
		"no main queue of that name":    {func(f *Facts) { f.Consumers[0].Guessed = true; gone(*f, "orders") }, Finding{Severity: Serious, Check: "missing", Subject: "queue orders"}},
		"no retry queue":                {func(f *Facts) { gone(*f, "orders-retry-10s") }, Finding{Severity: Warning, Check: "missing", Subject: "queue orders-retry-10s"}},
		"no quarantine":                 {func(f *Facts) { gone(*f, "orders-quarantine") }, Finding{Severity: Warning, Check: "no-quarantine", Subject: "queue orders-quarantine"}},
		"nobody consumes":               {func(f *Facts) { count(*f, "orders", 0, 0) }, Finding{Severity: Warning, Check: "not-consumed", Subject: "queue orders"}},
		"nobody consumes what is there": {func(f *Facts) { count(*f, "orders", 7, 0) }, Finding{Severity: Serious, Check: "not-consumed", Subject: "queue orders"}},
		"nobody consumes, some wait":    {func(f *Facts) { count(*f, "orders", 0, 0); count(*f, "orders-retry-10s", 2, 0) }, Finding{Severity: Warning, Check: "not-consumed", Subject: "queue orders", Problem: "nobody consumes, and 2 messages in its retry queues"}},
		"a delay that is gone":          {func(f *Facts) { wait(*f, "orders", "24h", "quorum", 2, 0) }, Finding{Severity: Warning, Check: "left-over", Subject: "queue orders-retry-24h"}},
		"a queue that is gone":          {func(f *Facts) { wait(*f, "emails", "24h", "quorum", 2, 0) }, Finding{Severity: Serious, Check: "no-way-back", Subject: "queue emails-retry-24h", Problem: "2 messages in it, and queue emails, to which they go back, is not there"}},
		"a queue that is gone, later":   {func(f *Facts) { wait(*f, "emails", "24h", "quorum", 0, 2) }, Finding{Severity: Serious, Check: "no-way-back", Subject: "queue emails-retry-24h", Problem: "2 messages kept in it, whose time is over, and queue emails, to which they go back, is not there"}},
		"a retry queue is consumed":     {func(f *Facts) { count(*f, "orders-retry-10s", 3, 1) }, Finding{Severity: Serious, Check: "consumed", Subject: "queue orders-retry-10s"}},
		"a quarantine is consumed":      {func(f *Facts) { count(*f, "orders-quarantine", 0, 1) }, Finding{Severity: Warning, Check: "consumed", Subject: "queue orders-quarantine"}},
		"messages were given up":        {func(f *Facts) { count(*f, "orders-error", 3, 0) }, Finding{Severity: Warning, Check: "parked", Subject: "queue orders-error"}},
		"messages are in quarantine":    {func(f *Facts) { count(*f, "orders-quarantine", 1, 0) }, Finding{Severity: Warning, Check: "quarantined", Subject: "queue orders-quarantine"}},
		"messages are kept unseen":      {func(f *Facts) { said(*f, "orders-retry-10s", func(q *management.Queue) { q.Kept = n(2) }) }, Finding{Severity: Serious, Check: "kept", Subject: "queue orders-retry-10s"}},
		"a queue expires by policy":     {func(f *Facts) { policy(*f, "orders-retry-10s", management.Values{"expires": int64(1000)}) }, Finding{Severity: Serious, Check: "expires", Subject: "queue orders-retry-10s"}},
		"a queue expires by argument":   {func(f *Facts) { argument(*f, "orders-error", "x-expires", int64(1000)) }, Finding{Severity: Serious, Check: "expires", Subject: "queue orders-error"}},
		"failed work expires":           {func(f *Facts) { policy(*f, "orders-error", management.Values{"message-ttl": int64(1000)}) }, Finding{Severity: Serious, Check: "error-ttl", Subject: "queue orders-error"}},
		"a full queue drops": {func(f *Facts) {
			argument(*f, "orders-error", "x-overflow", nil)
			policy(*f, "orders-error", management.Values{"max-length": int64(1000)})
		}, Finding{Severity: Serious, Check: "drops", Subject: "queue orders-error"}},
		"it does not dead-letter": {func(f *Facts) { argument(*f, "orders", "x-dead-letter-exchange", nil) }, Finding{Severity: Warning, Check: "no-dead-letter", Subject: "queue orders"}},
		"a classic queue": {func(f *Facts) {
			said(*f, "orders", func(q *management.Queue) { q.Type, q.Members, q.Online = "classic", nil, nil })
			argument(*f, "orders", "x-queue-type", "classic")
		}, Finding{Severity: Warning, Check: "classic", Subject: "queue orders"}},
		"a replica is away":      {func(f *Facts) { said(*f, "orders", func(q *management.Queue) { q.Online = q.Members[:2] }) }, Finding{Severity: Warning, Check: "replicas-offline", Subject: "queue orders"}},
		"most replicas are away": {func(f *Facts) { said(*f, "orders", func(q *management.Queue) { q.Online = q.Members[:1] }) }, Finding{Severity: Serious, Check: "replicas-offline", Subject: "queue orders"}},
		"too few replicas": {func(f *Facts) {
			said(*f, "orders", func(q *management.Queue) { q.Members, q.Online = q.Members[:1], q.Online[:1] })
		}, Finding{Severity: Warning, Check: "few-replicas", Subject: "queue orders"}},
		"a prefetch below the concurrency": {func(f *Facts) { f.Consumers[0].Concurrency, f.Consumers[0].Prefetch = 8, 7 }, Finding{Severity: Serious, Check: "prefetch", Subject: "consumer orders"}},
		"handlers without a timeout":       {func(f *Facts) { f.Consumers[0].Timeout = -1 }, Finding{Severity: Warning, Check: "slow", Subject: "consumer orders"}},
		"handlers that take too long":      {func(f *Facts) { f.Consumers[0].Timeout = 11 * time.Minute }, Finding{Severity: Warning, Check: "slow", Subject: "consumer orders"}},
	} {
		f := healthy(t)
		test.broken(&f)
		var found []Finding
		for _, one := range Diagnose(f) {
			if one.Severity != Note || test.want.Severity == Note && one.Check == test.want.Check {
				found = append(found, one)
			}
		}
		if len(found) != 1 || found[0].Severity != test.want.Severity || found[0].Check != test.want.Check || found[0].Subject != test.want.Subject || test.want.Problem != "" && found[0].Problem != test.want.Problem {
			t.Errorf("%s: %+v\nwant %+v", name, found, test.want)
		}
	}
}

// wait adds a retry queue with messages that no consumer has, as the management API lists it.
func wait(f Facts, main, delay, kind string, ready, kept int) {
	name := main + "-retry-" + delay
	f.Known.Queues[name] = management.Queue{
		Name: name, Type: kind, Ready: n(ready), Kept: n(kept), Effective: management.Values{},
		Arguments: management.Values{"x-dead-letter-exchange": "", "x-dead-letter-routing-key": main},
	}
}

// only returns the one finding of a check.
func only(t *testing.T, f Facts, check string) Finding {
	t.Helper()
	found := slices.DeleteFunc(Diagnose(f), func(one Finding) bool { return one.Check != check })
	if len(found) != 1 {
		t.Fatalf("%d findings of %s, want one: %+v", len(found), check, found)
	}
	return found[0]
}

// A quorum queue keeps what it cannot send back, and a classic one drops it.
func TestWhatWaitsForAQueueThatIsGoneIsKeptOrDropped(t *testing.T) {
	for kind, want := range map[string]string{"quorum": "within 10s at the latest, the broker keeps them", "classic": "within 10s at the latest, the broker drops them"} {
		f := healthy(t)
		gone(f, "orders")
		count(f, "orders-retry-10s", 3, 0)
		said(f, "orders-retry-10s", func(q *management.Queue) { q.Type = kind })
		if got := only(t, f, "no-way-back"); got.Subject != "queue orders-retry-10s" || !strings.Contains(got.Why, want) || !strings.Contains(got.Do, "bunnicula move orders NEW") {
			t.Errorf("%s: %+v", kind, got)
		}
		f = healthy(t)
		wait(f, "emails", "10s", kind, 3, 0)
		if got := only(t, f, "no-way-back"); !strings.Contains(got.Why, want) {
			t.Errorf("%s of nobody: %+v", kind, got)
		}
	}
}

func TestADelayThatIsGoneSaysWhereItsMessagesWaitOn(t *testing.T) {
	f := healthy(t)
	wait(f, "orders", "24h", "quorum", 3, 0)
	if got := only(t, f, "left-over"); !strings.Contains(got.Why, "back in orders within 24h") || !strings.Contains(got.Why, "in the retry queues of 10s.") {
		t.Errorf("%+v", got)
	}
	f.Consumers[0].Guessed = true // nobody says which delays it has
	if slices.ContainsFunc(Diagnose(f), func(one Finding) bool { return one.Check == "left-over" }) {
		t.Error("what is not known to be gone is found to be")
	}
	f = healthy(t)
	wait(f, "orders", "24h", "quorum", 0, 0)
	wait(f, "emails", "24h", "quorum", 0, 0)
	k := f.Known.Queues["emails-retry-24h"] // somebody else's, with such a name by chance
	k.Arguments, k.Ready = management.Values{}, n(7)
	f.Known.Queues["emails-retry-24h"] = k
	for _, one := range Diagnose(f) {
		if one.Severity != Note {
			t.Errorf("%+v", one)
		}
	}
}

// RabbitMQ does not compare this argument, and AMQP does not tell it.
func TestDelayedRetriesByAnArgumentAreFoundInTheFile(t *testing.T) {
	f := healthy(t)
	plan := f.Consumers[0].Plan
	plan.Arguments = map[string]any{"x-delayed-retry-type": "all", "x-delayed-retry-min": 1000}
	topo, err := topology.New(plan)
	if err != nil {
		t.Fatal(err)
	}
	f.Consumers[0].Topology, f.Known = topo, nil
	if got := only(t, f, "delayed-retry"); got.Subject != "queue orders" || got.Severity != Warning {
		t.Errorf("%+v", got)
	}
}

func TestWhatIsParkedComesWithTheCommandThatShowsIt(t *testing.T) {
	for errorQueue, want := range map[string]string{"": "bunnicula errors groups orders-error.", "failed": "bunnicula errors groups orders --error-queue failed."} {
		f := healthy(t)
		f.Consumers[0].Plan.ErrorQueue = errorQueue
		parked := cmp.Or(errorQueue, "orders-error")
		f.Counts[parked] = inspect.QueueStatus{Queue: parked, Role: topology.RoleError, State: inspect.Present, Ready: n(3), Consumers: n(0)}
		if !slices.ContainsFunc(Diagnose(f), func(one Finding) bool { return strings.Contains(one.Do, want) }) {
			t.Errorf("error queue %q: nothing says %q", parked, want)
		}
	}
}

func TestWhatPartitionsHaveParkedIsShownOnce(t *testing.T) {
	for errorQueue, want := range map[string]string{"orders-error": "bunnicula errors groups orders-error.", "failed": "bunnicula errors groups orders --error-queue failed."} {
		f := healthy(t)
		f.Consumers[0].Plan.Queue, f.Consumers[0].Plan.ErrorQueue = "orders.p00", errorQueue
		if got := "bunnicula errors groups " + f.errorsOf(errorQueue) + "."; got != want {
			t.Errorf("error queue %q: %q, want %q", errorQueue, got, want)
		}
	}
}

func refused(queue, argument string) inspect.Change {
	return inspect.Change{
		Action: inspect.Refused, What: "queue", Name: queue, Remedy: "do this",
		Differences: []inspect.Difference{{Argument: argument, Existing: "none", Wanted: "reject-publish"}},
	}
}

// A policy's overflow counts, and not the argument of a quorum queue.
func TestAPolicysOverflowWinsOverAnArgument(t *testing.T) {
	f := healthy(t)
	policy(f, "orders-error", management.Values{"max-length": int64(10), "overflow": "drop-head"})
	if !slices.ContainsFunc(Diagnose(f), func(one Finding) bool { return one.Check == "drops" && one.Severity == Serious }) {
		t.Error("nothing says that the queue drops messages")
	}
}

// Without the management API nothing is known of policies, and that is said.
func TestWhatWasNotLookedAtIsSaid(t *testing.T) {
	f := healthy(t)
	f.Known = nil
	if !slices.ContainsFunc(Diagnose(f), func(one Finding) bool { return one.Check == NotLooked }) {
		t.Error("nothing says that policies were not looked at")
	}
}

func TestNotesDependOnTheRelease(t *testing.T) {
	for version, want := range map[string]string{"3.10.8": "have none", "3.13.7": "have none", "4.0.5": "have one of 20", "4.2.1": "have one of 20", "4.3.6": "a permission on a queue"} {
		f := healthy(t)
		f.Peer.Version = version
		if !slices.ContainsFunc(Diagnose(f), func(one Finding) bool { return strings.Contains(one.Problem, want) }) {
			t.Errorf("%s: nothing says %s", version, want)
		}
		if !slices.ContainsFunc(Diagnose(f), func(one Finding) bool {
			return strings.Contains(one.Do, "dead_letter_worker_publisher_confirm_timeout, 5000")
		}) {
			t.Errorf("%s: nothing recommends the setting for late retries", version)
		}
	}
}

func TestTheMostSeriousComesFirst(t *testing.T) {
	f := healthy(t)
	f.Peer.Addr = "10.0.0.1:5672"
	count(f, "orders-error", 3, 0)
	count(f, "orders-retry-10s", 3, 1)
	all := Diagnose(f)
	if all[0].Check != "consumed" || all[0].Severity != Serious || Worst(all) != Serious || Worst(all[1:]) != Warning || Worst(nil) != Note {
		t.Errorf("%+v", all)
	}
	if !slices.IsSortedFunc(all, func(a, b Finding) int { return rank[a.Severity] - rank[b.Severity] }) {
		t.Errorf("not in order: %+v", all)
	}
}

func TestEveryFindingSaysWhyAndWhatToDo(t *testing.T) {
	f := healthy(t)
	f.Changes[1] = refused("orders-retry-10s", "x-overflow")
	f.Peer = transport.Peer{Product: "RabbitMQ", Version: "3.10.8", Addr: "10.0.0.1:5672", User: "guest"}
	count(f, "orders-error", 3, 0)
	count(f, "orders", 3, 0)
	gone(f, "orders-quarantine")
	wait(f, "orders", "24h", "quorum", 3, 1)
	wait(f, "emails", "24h", "classic", 3, 1)
	for _, one := range Diagnose(f) {
		for _, part := range []string{one.Check, one.Subject, one.Problem, one.Why, one.Do, one.See} {
			if strings.TrimSpace(part) == "" {
				t.Errorf("something is empty: %+v", one)
			}
		}
		if !strings.HasSuffix(one.Why, ".") || !strings.HasSuffix(one.Do, ".") || strings.HasSuffix(one.Problem, ".") {
			t.Errorf("no sentences: %+v", one)
		}
	}
}

func TestWhatTheBrokerWouldRefuseIsSaidInItsWords(t *testing.T) {
	c := inspect.Change{Action: inspect.Refused, What: "queue", Name: "orders", Problem: "invalid arg 'x-max-priority'", Remedy: "change it"}
	if found := differences(Facts{Changes: []inspect.Change{c}}); len(found) != 1 || found[0].Problem != c.Problem {
		t.Errorf("%+v", found)
	}
}
