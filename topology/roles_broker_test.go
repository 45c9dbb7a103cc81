package topology_test

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/internal/transport"
	"github.com/bunnicula-go/bunnicula/publisher"
	"github.com/bunnicula-go/bunnicula/topology"
)

// permissions are those of a user, as patterns for the names of queues and exchanges.
type permissions struct{ configure, write, read string }

// without returns the permissions without one resource, such as "configure orders-error".
func (p permissions) without(one string) permissions {
	kind, resource, _ := strings.Cut(one, " ")
	pattern := map[string]*string{"configure": &p.configure, "write": &p.write, "read": &p.read}[kind]
	*pattern = "^(?!" + regexp.QuoteMeta(resource) + "$)" + strings.TrimPrefix(*pattern, "^")
	return p
}

// documented reads the table of docs/SECURITY.md.
func documented(t *testing.T) map[string]permissions {
	t.Helper()
	text, err := os.ReadFile("../docs/SECURITY.md")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]permissions{}
	row := regexp.MustCompile("(?m)^\\| `(\\w+)` \\| .* \\| `(\\^.*\\$)` \\| `(\\^.*\\$)` \\| `(\\^.*\\$)` \\|$")
	for _, m := range row.FindAllStringSubmatch(strings.ReplaceAll(string(text), `\|`, "\x00"), -1) {
		for i := range m {
			m[i] = strings.ReplaceAll(m[i], "\x00", "|")
		}
		all[m[1]] = permissions{m[2], m[3], m[4]}
	}
	w := all["worker"]
	if command := fmt.Sprintf("orders-worker '%s' '%s' '%s'\n", w.configure, w.write, w.read); !strings.Contains(string(text), command) {
		t.Errorf("docs/SECURITY.md has another command than row for the worker: want %s", command)
	}
	return all
}

// roles do the work of their users. Each needs exactly these permissions.
var roles = map[string]struct {
	act   func(actor) error
	needs []string
	// What is declared for it: nothing, the main queue and the exchange shop, or all queues.
	finds string
}{
	"worker": {
		act:   func(a actor) error { return a.work(func(*consumer.Spec) {}) },
		needs: append(toDeclare(topology.All), "write amq.default"),
	},
	"bound": {
		act: func(a actor) error {
			return a.work(func(s *consumer.Spec) {
				s.Bindings = []topology.Bind{{Exchange: a.queue + "-events", Kind: "topic", Keys: []string{"order.#"}}}
			})
		},
		needs: []string{"configure events", "write orders", "read events"}, // and those of worker
	},
	"adopter": {
		act:   func(a actor) error { return a.work(func(s *consumer.Spec) { s.Declare = topology.Satellites }) },
		needs: append(toDeclare(topology.Satellites), "write amq.default", "read orders"),
		finds: "main",
	},
	"bare": {
		act:   func(a actor) error { return a.work(func(s *consumer.Spec) { s.Declare = topology.Never }) },
		needs: []string{"write amq.default", "read orders", "read orders-quarantine"},
		finds: "all",
	},
	"publisher": {
		act:   func(a actor) error { return a.publish(publisher.Config{}, a.queue) },
		needs: []string{"write amq.default"},
		finds: "main",
	},
	"narrow": {
		act: func(a actor) error {
			if err := a.publish(publisher.Config{Exchange: a.queue + "-shop"}, a.queue); err != nil {
				return err
			}
			a.refused("past its exchange", a.publish(publisher.Config{}, a.queue), "write", "amq.default")
			return nil
		},
		needs: []string{"write shop"},
		finds: "main",
	},
	"operator":  {act: actor.redrive, needs: []string{"write amq.default", "read orders-error"}, finds: "all"},
	"watcher":   {act: actor.look, finds: "all"},
	"teller":    {act: actor.tell, needs: []string{"configure bunnicula.events", "write bunnicula.events"}},
	"obeyer":    {act: actor.obey, needs: []string{"write amq.default", "read bunnicula-control"}},
	"stager":    {act: actor.stage, needs: []string{"configure bank-progress", "write amq.default", "read bank-progress"}},
	"commander": {act: actor.command, needs: []string{"configure bunnicula-control", "write bunnicula-control", "write amq.default", "read bunnicula-control"}},
	"listener": {
		act: actor.listen,
		needs: []string{
			"configure bunnicula.events.tail", "write bunnicula.events.tail", "read bunnicula.events.tail", "read bunnicula.events",
		},
	},
}

// toDeclare returns the permissions to declare the queues: configure on each, and read on those
// that dead-letter.
func toDeclare(mode topology.Mode) (needs []string) {
	top, err := topology.New(topology.Plan{Queue: "orders", Delays: []time.Duration{100 * time.Millisecond}, Mode: mode})
	if err != nil {
		panic(err)
	}
	for _, q := range top.Queues {
		if q.Existing {
			continue
		}
		needs = append(needs, "configure "+q.Name)
		if _, dead := q.Arguments["x-dead-letter-exchange"]; dead {
			needs = append(needs, "read "+q.Name)
		}
	}
	return needs
}

func TestEachRoleOfTheDocumentationNeedsJustItsPermissions(t *testing.T) {
	table := documented(t)
	for name := range table {
		if _, ok := roles[name]; !ok {
			t.Errorf("nobody tests the role %q", name)
		}
	}
	type test struct{ role, missing string }
	tests := map[string]test{} // by the name of the queue, which is also the user's
	users := map[string]permissions{}
	for name, role := range roles {
		has, ok := table[name]
		if !ok {
			t.Errorf("docs/SECURITY.md has no role %q", name)
			continue
		}
		for _, missing := range append([]string{""}, role.needs...) {
			queue, given := amqptest.Queue(t, "role"), has
			if missing != "" {
				given = has.without(missing)
			}
			ours := namesOf(queue)
			tests[queue] = test{name, missing}
			users[queue] = permissions{ours.Replace(given.configure), ours.Replace(given.write), ours.Replace(given.read)}
		}
	}
	addUsers(t, users)
	for queue, test := range tests {
		role := roles[test.role]
		if test.missing == "" {
			t.Run(test.role+" with all that it needs", func(t *testing.T) {
				t.Parallel()
				if err := role.act(newActor(t, queue, role.finds)); err != nil {
					t.Error(err)
				}
			})
			continue
		}
		t.Run(test.role+" without "+test.missing, func(t *testing.T) {
			t.Parallel()
			a := newActor(t, queue, role.finds)
			kind, resource, _ := strings.Cut(test.missing, " ")
			a.refused("without it", role.act(a), kind, namesOf(queue).Replace(resource))
			if test.role == "bare" && kind == "write" {
				amqptest.Eventually(t, 10*time.Second, func() bool { return amqptest.Depth(t, queue) == 2 }, "the two messages that it could not place are not in their queue")
			}
		})
	}
}

func TestAUserWhoMayDoNothingInTheVHostIsRefusedAtOnce(t *testing.T) {
	name := amqptest.Queue(t, "role")
	addUsers(t, map[string]permissions{name: {}})
	_, err := connectAs(t, name).Transport().Consuming().Session(t.Context())
	if !transport.Permanent(err) || !strings.Contains(err.Error(), vhost(t)) || !strings.Contains(err.Error(), "the user's permissions") {
		t.Errorf("got %v", err)
	}
}
