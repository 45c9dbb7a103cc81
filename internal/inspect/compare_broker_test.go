package inspect

import (
	"maps"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/topology"
)

func declare(t *testing.T, name string, arguments map[string]any) {
	t.Helper()
	ch := amqptest.Channel(t)
	if _, err := ch.QueueDeclare(name, true, false, false, false, amqp.Table(arguments)); err != nil {
		t.Fatal(err)
	}
}

// A comparison must never create a queue, even if the queue is deleted after the first question.
func TestToCompareDeclaresNothing(t *testing.T) {
	b, ctx := broker(t, connection.Config{})
	for _, kind := range []topology.QueueType{topology.Quorum, topology.Classic, ""} {
		name := amqptest.Queue(t, "compared")
		p := topology.Plan{Queue: name, Type: kind}
		if kind == "" {
			p.Scheme = topology.Bunnicula
		}
		q := plan(t, p).Queues[0]
		c, err := b.compare(ctx, topology.Topology{Queues: []topology.Queue{q}})
		if err != nil || c.Verdict != Missing {
			t.Errorf("%q: %+v, %v, want it to be missing", kind, c, err)
		}
		if amqptest.Exists(t, name) {
			t.Errorf("%q: to compare it has declared it", kind)
		}
	}
	name := amqptest.Queue(t, "compared")
	c, err := b.compare(ctx, topology.Topology{Exchanges: []topology.Exchange{{Name: name, Kind: "topic"}}})
	if err != nil || c.Verdict != Missing {
		t.Errorf("exchange: %+v, %v, want it to be missing", c, err)
	}
	if has, err := b.HasExchange(ctx, name); err != nil || has.Verdict != Missing {
		t.Errorf("exchange: to compare it has declared it: %+v, %v", has, err)
	}
}

func TestAQueueThatIsAsWantedIsTheSame(t *testing.T) {
	b, ctx := broker(t, connection.Config{})
	for name, p := range map[string]topology.Plan{
		"quorum":    {Delays: []time.Duration{10 * time.Second}},
		"classic":   {Type: topology.Classic, Delays: []time.Duration{10 * time.Second}},
		"full":      {SingleActive: true, GroupSize: 1, Arguments: map[string]any{"x-max-length": 10, "x-delivery-limit": 20}},
		"bunnicula": {Scheme: topology.Bunnicula},
	} {
		p.Queue = amqptest.Queue(t, "same")
		topo := plan(t, p)
		if err := b.Declare(ctx, topo); err != nil {
			t.Fatal(err)
		}
		for _, q := range topo.Queues {
			if c, err := b.Queue(ctx, q); err != nil || c.Verdict != Same {
				t.Errorf("%s: %s: %+v, %v, want the same", name, q.Name, c, err)
			}
		}
		for _, e := range topo.Exchanges {
			if c, err := b.Exchange(ctx, e); err != nil || c.Verdict != Same {
				t.Errorf("%s: exchange %s: %+v, %v, want the same", name, e.Name, c, err)
			}
		}
	}
}

// The order in which a broker compares arguments matters: ours must come last.
func TestEachArgumentThatDiffersIsNamed(t *testing.T) {
	b, ctx := broker(t, connection.Config{})
	name := amqptest.Queue(t, "differs")
	wanted := topology.Queue{Name: name, Role: topology.RoleRetry, Arguments: map[string]any{
		"x-queue-type": "quorum", "x-overflow": "reject-publish", "x-message-ttl": int64(10000), "x-delivery-limit": int64(100),
		"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "somewhere", "x-dead-letter-strategy": "at-least-once",
		"x-quorum-initial-group-size": int64(1), "x-single-active-consumer": true, "x-max-length": int64(5), "x-expires": int64(600000),
	}}
	declare(t, name, wanted.Arguments)
	for argument, other := range map[string]any{
		"x-queue-type": "classic", "x-overflow": "drop-head", "x-message-ttl": int64(1), "x-delivery-limit": int64(1), "x-dead-letter-exchange": "amq.direct",
		"x-dead-letter-routing-key": "elsewhere", "x-dead-letter-strategy": "at-most-once", "x-quorum-initial-group-size": int64(3),
		"x-single-active-consumer": false, "x-max-length": int64(6), "x-expires": int64(1000000),
	} {
		q := wanted
		q.Arguments = maps.Clone(wanted.Arguments)
		q.Arguments[argument] = other
		c, err := b.Queue(ctx, q)
		if err != nil || c.Verdict != Differs || c.Mismatch.Argument != argument {
			t.Errorf("%s: %+v, %v, want it to differ in that", argument, c, err)
		}
	}
	for _, argument := range []string{"x-message-ttl", "x-delivery-limit", "x-overflow"} {
		q := wanted
		q.Arguments = maps.Clone(wanted.Arguments)
		delete(q.Arguments, argument)
		if c, err := b.Queue(ctx, q); err != nil || c.Verdict != Differs || c.Mismatch.Argument != argument || c.Mismatch.Wanted != "none" {
			t.Errorf("without %s: %+v, %v, want it to differ in that", argument, c, err)
		}
	}
	if depth := amqptest.Depth(t, name); depth != 0 {
		t.Errorf("%d messages", depth)
	}
}

func TestAnExchangeThatDiffersIsSaidToDiffer(t *testing.T) {
	b, ctx := broker(t, connection.Config{})
	name := amqptest.Queue(t, "exchange")
	if err := amqptest.Channel(t).ExchangeDeclare(name, "topic", true, false, false, false, nil); err != nil {
		t.Fatal(err)
	}
	for want, e := range map[string]topology.Exchange{
		"type":        {Name: name, Kind: "fanout"},
		"durable":     {Name: name, Kind: "topic", Transient: true},
		"auto_delete": {Name: name, Kind: "topic", AutoDelete: true},
	} {
		if c, err := b.Exchange(ctx, e); err != nil || c.Verdict != Differs || c.Mismatch.Argument != want {
			t.Errorf("%s: %+v, %v, want it to differ in that", want, c, err)
		}
	}
	if c, err := b.Exchange(ctx, topology.Exchange{Name: name, Kind: "topic"}); err != nil || c.Verdict != Same {
		t.Errorf("%+v, %v, want the same", c, err)
	}
}

// user makes a user with these permissions.
func user(t *testing.T, configure, write, read string) connection.Config {
	t.Helper()
	name := amqptest.Queue(t, "user")
	amqptest.User(t, name, "secret", configure, write, read)
	return connection.Config{Username: name, Password: "secret"}
}

func TestRightsAreTriedAndNothingIsTaken(t *testing.T) {
	name := amqptest.Queue(t, "rights")
	topo := plan(t, topology.Plan{Queue: name})
	all, ctx := broker(t, connection.Config{})
	if err := all.Declare(ctx, topo); err != nil {
		t.Fatal(err)
	}
	amqptest.Publish(t, "", name, amqp.Publishing{Body: []byte("stays")})

	none, _ := broker(t, user(t, "^$", "^$", "^$"))
	for who, test := range map[string]struct {
		b    *Broker
		want bool
	}{"all": {all, true}, "none": {none, false}} {
		if ok, err := test.b.MayPublish(ctx); err != nil || ok != test.want {
			t.Errorf("%s may publish: %v, %v", who, ok, err)
		}
		if ok, stream, err := test.b.MayRead(ctx, name); err != nil || ok != test.want || stream {
			t.Errorf("%s may read: %v, %v", who, ok, err)
		}
	}
	if c, err := none.Queue(ctx, topo.Queues[0]); err != nil || c.Verdict != Unknown || code(c.Err) != amqp.AccessRefused {
		t.Errorf("compared by one who may not: %+v, %v, want it to be unknown", c, err)
	}
	d := amqptest.Get(t, name)
	if string(d.Body) != "stays" || d.Redelivered {
		t.Errorf("the message %q was delivered to somebody before: %v", d.Body, d.Redelivered)
	}
}

func TestAStreamDoesNotCountAsAQueueThatIsThere(t *testing.T) {
	b, ctx := broker(t, connection.Config{})
	name := amqptest.Queue(t, "stream")
	declare(t, name, map[string]any{"x-queue-type": "stream"})
	amqptest.Publish(t, "", name, amqp.Publishing{Body: []byte("stays")})
	changes, err := b.Plan(ctx, nil, plan(t, topology.Plan{Queue: name, Mode: topology.Satellites}))
	if err != nil {
		t.Fatal(err)
	}
	c := changes[0]
	if c.Name != name || c.Action != Refused || len(c.Differences) != 1 || c.Differences[0].Existing != "stream" || !strings.Contains(c.Remedy, "another queue") {
		t.Errorf("%+v, want that it is a stream", c)
	}
}

func TestWhatTheBrokerWouldRefuseIsNotToBeCreated(t *testing.T) {
	b, ctx := broker(t, connection.Config{})
	name := amqptest.Queue(t, "impossible")
	q := topology.Queue{Name: name, Role: topology.RoleMain, Arguments: map[string]any{"x-queue-type": "quorum", "x-max-priority": int64(10)}}
	changes, err := b.Plan(ctx, nil, topology.Topology{Queues: []topology.Queue{q}})
	if err != nil {
		t.Fatal(err)
	}
	if c := changes[0]; c.Action != Refused || !strings.Contains(c.Problem, "x-max-priority") || c.Remedy == "" || !Blocked(changes) {
		t.Errorf("%+v, want that it is refused", c)
	}
	if amqptest.Exists(t, name) {
		t.Error("to ask has declared it")
	}
}
