package topology_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/internal/transport"
	"github.com/bunnicula-go/bunnicula/monitoring/monitoringtest"
	"github.com/bunnicula-go/bunnicula/publisher"
	"github.com/bunnicula-go/bunnicula/topology"
)

// permissions are a user's, as patterns for the names of queues and exchanges.
type permissions struct{ configure, write, read string }

// without is the same but for one resource, such as "configure orders-error".
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

// actor is one who has a role, and what there is for it.
type actor struct {
	t     *testing.T
	ctx   context.Context
	conn  *connection.Connection
	queue string // and the exchanges queue-events and queue-shop
	log   *journal
}

// journal is a log that is written and read at once.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *journal) line(with string) string {
	j.mu.Lock()
	defer j.mu.Unlock()
	for line := range strings.Lines(j.text.String()) {
		if strings.Contains(line, with) {
			return line
		}
	}
	return ""
}

// work consumes one message that is acked, one that is retried, one that is parked and one that is quarantined. It returns the refusal that it
// meets, if it meets one: as the error of Start, or as what the log says of a copy that the broker does not take.
func (a actor) work(change func(*consumer.Spec)) error {
	a.t.Helper()
	spec := consumer.Spec{
		Queue: a.queue, MaxRetries: 1, Backoff: []time.Duration{100 * time.Millisecond},
		Handler: func(_ context.Context, d consumer.Delivery) consumer.Result {
			switch string(d.Body) {
			case "retry":
				if d.Attempt == 1 {
					return consumer.Retry(errors.New("not yet"))
				}
			case "error":
				return consumer.Error(errors.New("never"))
			}
			return consumer.Ack()
		},
	}
	change(&spec)
	ended := new(monitoringtest.Recorder)
	c, err := consumer.New(a.conn, spec, ended, slog.New(slog.NewTextHandler(a.log, nil)))
	if err != nil {
		a.t.Fatal(err)
	}
	held := false
	defer func() {
		ctx, cancel := context.WithTimeout(a.ctx, 3*time.Second)
		defer cancel()
		if err := c.Stop(ctx); (err != nil) != held { // which Stop goes on trying to place
			a.t.Errorf("stop: %v", err)
		}
	}()
	if err := c.Start(a.ctx); err != nil {
		return err
	}
	for _, body := range []string{"ack", "retry", "error"} {
		amqptest.Publish(a.t, "", a.queue, amqp.Publishing{Body: []byte(body)})
	}
	cannot := func() string { return a.log.line("cannot go on") }
	amqptest.Eventually(a.t, 20*time.Second, func() bool { return len(ended.Ends()) == 4 || c.Health().CopiesBlocked == 2 || cannot() != "" },
		"neither all is done nor two messages are held: %v", ended.Outcomes())
	if cannot() != "" { // from 4.3 on nobody may look at a queue on which he has no permission
		return errors.New(cannot())
	}
	if held = c.Health().CopiesBlocked > 0; held {
		return errors.New(a.log.line("copy not placed"))
	}
	if n := amqptest.Depth(a.t, a.queue+"-error"); n != 1 {
		a.t.Errorf("%d messages are parked, want 1", n)
	}

	c.Pause()
	amqptest.Eventually(a.t, 10*time.Second, func() bool { return !c.Health().Subscribed }, "it does not pause")
	a.suspect()
	c.Resume()
	amqptest.Eventually(a.t, 20*time.Second, func() bool { return len(ended.Ends()) == 5 || cannot() != "" }, "the suspect is not handled: %v", ended.Outcomes())
	if cannot() != "" {
		return errors.New(cannot())
	}
	return nil
}

// suspect is a message that came back twice, as if its process had died over it: it will be quarantined.
func (a actor) suspect() {
	a.t.Helper()
	amqptest.Publish(a.t, "", a.queue, amqp.Publishing{Body: []byte("suspect")})
	ch := amqptest.Channel(a.t)
	for range 2 {
		var d amqp.Delivery
		amqptest.Eventually(a.t, 10*time.Second, func() bool {
			var ok bool
			var err error
			d, ok, err = ch.Get(a.queue, false)
			return ok && err == nil
		}, "there is no message to send back")
		if err := d.Reject(true); err != nil {
			a.t.Fatal(err)
		}
	}
}

// publish sends one message as an app does.
func (a actor) publish(cfg publisher.Config, key string, opts ...publisher.Option) error {
	a.t.Helper()
	pub, err := publisher.New(a.conn, cfg, slog.New(slog.NewTextHandler(a.log, nil)))
	if err != nil {
		a.t.Fatal(err)
	}
	defer func() {
		if err := pub.Stop(a.ctx); err != nil {
			a.t.Errorf("stop: %v", err)
		}
	}()
	return pub.Publish(a.ctx, key, []byte("ack"), opts...)
}

// redrive moves what is parked back: published again, without our headers, and acked after its confirm.
func (a actor) redrive() error {
	a.t.Helper()
	amqptest.Publish(a.t, "", a.queue+"-error", amqp.Publishing{Body: []byte("x"), Headers: amqp.Table{"retry-attempts": int64(1), "tenant": "acme"}})
	ch := a.channel()
	d, ok, err := ch.Get(a.queue+"-error", false)
	if err != nil {
		return err
	} else if !ok {
		a.t.Fatal("nothing is parked")
	}
	if err := a.publish(publisher.Config{}, a.queue, publisher.MessageID("again"), publisher.Headers(d.Headers)); err != nil {
		return err
	}
	if err := d.Ack(false); err != nil {
		a.t.Error(err)
	}
	if d := amqptest.Get(a.t, a.queue); d.MessageId != "again" || d.Headers["retry-attempts"] != nil || d.Headers["tenant"] != "acme" {
		a.t.Errorf("%+v is back", d)
	}
	if err := ch.Close(); err != nil { // the broker has the ack then
		a.t.Error(err)
	}
	if n := amqptest.Depth(a.t, a.queue+"-error"); n != 0 {
		a.t.Errorf("%d messages are parked still", n)
	}
	return nil
}

// look counts, which is all that it may do.
func (a actor) look() error {
	a.t.Helper()
	if err := a.conn.Ready(a.ctx); err != nil {
		return err
	}
	amqptest.Publish(a.t, "", a.queue, amqp.Publishing{})
	err := mustNew(a.t, topology.Plan{Queue: a.queue, Mode: topology.Never}).Declare(a.channel())
	if errors.Is(err, topology.ErrUnchecked) { // from 4.3 on
		a.t.Logf("this broker lets nobody look who may not configure: %v", err)
	} else if err != nil {
		return err
	} else if q, err := a.channel().QueueDeclarePassive(a.queue, true, false, false, false, nil); err != nil || q.Messages != 1 {
		a.t.Errorf("it sees %d messages, %v", q.Messages, err)
	}
	_, _, err = a.channel().Get(a.queue, true)
	a.refused("get", err, "read", a.queue)
	_, err = a.channel().QueuePurge(a.queue, false)
	a.refused("purge", err, "read", a.queue)
	_, err = a.channel().QueueDelete(a.queue, false, false, false)
	a.refused("delete", err, "configure", a.queue)
	a.refused("publish", a.publish(publisher.Config{}, a.queue), "write", "amq.default")
	return nil
}

func (a actor) channel() *amqp.Channel {
	a.t.Helper()
	ch, err := a.conn.Channel(a.ctx)
	if err != nil {
		a.t.Fatal(err)
	}
	return ch
}

// refused checks that an error says 403, and for what. Brokers before 4 do not say which permission it takes.
func (a actor) refused(what string, err error, kind, resource string) {
	a.t.Helper()
	text := fmt.Sprint(err)
	if err == nil || !strings.Contains(text, "ACCESS_REFUSED") || !strings.Contains(text, "'"+resource+"'") {
		a.t.Errorf("%s: got %v, want a refusal that names %s", what, err, resource)
	}
	if amqptest.Major(a.t) >= 4 && !strings.Contains(text, kind) {
		a.t.Errorf("%s: got %v, want it to name the permission %s", what, err, kind)
	}
}

// roles do what their users are for. Each needs all of these, and no more.
var roles = map[string]struct {
	act   func(actor) error
	needs []string
	finds string // what was declared for it: nothing, the main queue and the exchange shop, or all queues
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
		needs: []string{"configure events", "write orders", "read events"}, // and what worker needs
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
	"operator": {act: actor.redrive, needs: []string{"write amq.default", "read orders-error"}, finds: "all"},
	"watcher":  {act: actor.look, finds: "all"},
}

// toDeclare is what declaring the queues takes: configure on each, and read on those that dead-letter.
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
	tests := map[string]test{} // by the name of the queue, which is the user's as well
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

// addUsers makes users for the length of the test, with their names as passwords and these permissions; the zero
// permissions are none at all. It is one call, since each takes a second.
func addUsers(t *testing.T, users map[string]permissions) {
	t.Helper()
	text := func(s string) string { return `<<"` + strings.ReplaceAll(s, `\`, `\\`) + `">>` }
	var add, remove []string
	for name, p := range users {
		add = append(add, fmt.Sprintf(`ok = rabbit_auth_backend_internal:add_user(%s, %s, <<"test">>)`, text(name), text(name)))
		remove = append(remove, fmt.Sprintf(`rabbit_auth_backend_internal:delete_user(%s, <<"test">>)`, text(name)))
		if p != (permissions{}) {
			add = append(add, fmt.Sprintf(`ok = rabbit_auth_backend_internal:set_permissions(%s, %s, %s, %s, %s, <<"test">>)`,
				text(name), text(vhost(t)), text(p.configure), text(p.write), text(p.read)))
		}
	}
	t.Cleanup(func() { amqptest.Ctl(t, "eval", strings.Join(remove, ", ")+".") })
	amqptest.Ctl(t, "eval", strings.Join(add, ", ")+".")
}

func vhost(t *testing.T) string {
	t.Helper()
	address, err := url.Parse(amqptest.URL(t))
	if err != nil {
		t.Fatal("AMQP_URL is not a URL")
	}
	if name := strings.TrimPrefix(address.Path, "/"); name != "" {
		return name
	}
	return "/"
}

func connectAs(t *testing.T, user string) *connection.Connection {
	t.Helper()
	conn, err := connection.New(connection.Config{URL: amqptest.URL(t), Username: user, Password: user}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := conn.Stop(ctx); err != nil {
			t.Errorf("stop: %v", err)
		}
	})
	return conn
}

// newActor connects the queue's user, and declares what its role finds.
func newActor(t *testing.T, queue, finds string) actor {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	amqptest.Cleanup(t, queue+"-events", queue+"-shop")
	switch finds {
	case "main":
		ch := amqptest.Channel(t)
		if _, err := ch.QueueDeclare(queue, true, false, false, false, amqp.Table{"x-queue-type": "quorum", "x-max-length": int64(1000)}); err != nil {
			t.Fatal(err)
		}
		if err := ch.ExchangeDeclare(queue+"-shop", "direct", true, false, false, false, nil); err != nil {
			t.Fatal(err)
		}
		if err := ch.QueueBind(queue, queue, queue+"-shop", false, nil); err != nil {
			t.Fatal(err)
		}
	case "all":
		if err := declare(t, topology.Plan{Queue: queue, Delays: []time.Duration{100 * time.Millisecond}}); err != nil {
			t.Fatal(err)
		}
	}
	return actor{t: t, ctx: ctx, conn: connectAs(t, queue), queue: queue, log: new(journal)}
}

// namesOf puts a test's own names in the place of the documentation's.
func namesOf(queue string) *strings.Replacer {
	return strings.NewReplacer("orders", queue, "events", queue+"-events", "shop", queue+"-shop")
}
