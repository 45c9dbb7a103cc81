package topology_test

import (
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/conflicts"
	"github.com/bunnicula-go/bunnicula/internal/route"
	"github.com/bunnicula-go/bunnicula/topology"
)

// FuzzNames makes a topology for any queue name. The plan is refused, or its names are valid at a
// broker and do not collide.
func FuzzNames(f *testing.F) {
	f.Add("orders", "", "events", "order.*.paid", int64(10_000), int64(60_000), byte(0))
	f.Add("orders", "orders-retry-10s", "", "orders", int64(10_000), int64(10_000), byte(1))
	f.Add("amq.orders", "failed", "amq.topic", "#", int64(-1), int64(0), byte(2))
	f.Add(strings.Repeat("q", 250), strings.Repeat("e", 256), "\xff", "\n", int64(1), int64(315_360_000_000), byte(8))
	f.Add("orders-retry", "orders-retry-requeue", "orders", "k", int64(1500), int64(1), byte(12))
	f.Fuzz(func(t *testing.T, queue, errorQueue, exchange, key string, first, second int64, choice byte) {
		plan := topology.Plan{
			Queue: queue, ErrorQueue: errorQueue, Delays: []time.Duration{time.Duration(first) * time.Millisecond, time.Duration(second) * time.Millisecond},
			Bindings: []topology.Bind{{Exchange: exchange, Keys: []string{key}}},
			Mode:     topology.Mode(choice % 4), Scheme: topology.Scheme(choice / 4 % 3), Type: []topology.QueueType{"", topology.Quorum, topology.Classic}[choice/12%3],
		}
		top, err := topology.New(plan)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "topology: queue ") {
				t.Fatalf("the error does not say where: %v", err)
			}
			return
		}
		seen := map[string]bool{}
		for _, name := range top.Names() {
			if name == "" || len(name) > 255 || !utf8.ValidString(name) || strings.HasPrefix(name, "amq.") || strings.ContainsAny(name, "\r\n") {
				t.Fatalf("queue %q", name)
			}
			if seen[name] {
				t.Fatalf("two queues are called %q", name)
			}
			seen[name] = true
		}
		for _, b := range top.Bindings {
			if len(b.Exchange) > 255 || len(b.Key) > 255 || !seen[b.Queue] {
				t.Fatalf("binding %+v", b)
			}
		}
		if d := route.Main(top); d.Queue != queue {
			t.Fatalf("the main queue is %q", d.Queue)
		}
		if d := route.Error(top); !seen[d.Queue] || d.Queue == queue {
			t.Fatalf("parked in %q", d.Queue)
		}
		if err := conflicts.Find(top); err != nil {
			t.Fatal(err)
		}
	})
}

// FuzzRefusal parses any text of the broker about a declaration. The broker's own error stays
// available, and a named argument is found.
func FuzzRefusal(f *testing.F) {
	for _, reason := range []string{
		"", "PRECONDITION_FAILED - inequivalent arg 'x-message-ttl' for queue 'q' in vhost '/': received '2000' but current is '1000'",
		"inequivalent arg 'x-delivery-limit' for queue 'q' in vhost '/': received the value '5' of type 'long' but current is none",
		"inequivalent arg 'durable'for queue 'q': received ''", "inequivalent arg '' for", "inequivalent arg 'a' for : received  but current is ",
		"ACCESS_REFUSED - access to queue 'q' in vhost '/' refused for user 'u'", "NOT_FOUND - no exchange 'e' in vhost '/'", "NOT_FOUND - no queue 'q'",
	} {
		for _, code := range []int{amqp.PreconditionFailed, amqp.AccessRefused, amqp.NotFound, 0} {
			f.Add(code, reason, "x-expires", "'5'", "none")
		}
	}
	f.Fuzz(func(t *testing.T, code int, reason, argument, received, current string) {
		for _, call := range []string{"exchange", "queue", "bind"} {
			r := recorder{Refuse: call, Err: &amqp.Error{Code: code, Reason: reason, Server: true}}
			err := mustNew(t, topology.Plan{Queue: "q", Bindings: []topology.Bind{{Exchange: "e", Kind: "topic"}}}).Declare(&r)
			var cause *amqp.Error
			if !errors.As(err, &cause) || cause.Reason != reason || err.Error() == "" {
				t.Fatalf("%s: %v", call, err)
			}
		}
		if argument == "" || strings.Contains(argument, "'") {
			return
		}
		r := recorder{Refuse: "queue q", Err: &amqp.Error{Code: amqp.PreconditionFailed, Server: true,
			Reason: "inequivalent arg '" + argument + "' for queue 'q' in vhost '/': received " + received + " but current is " + current}}
		err := mustNew(t, topology.Plan{Queue: "q"}).Declare(&r)
		var mismatch *topology.MismatchError
		if !errors.As(err, &mismatch) || mismatch.Argument != argument || mismatch.Name != "q" {
			t.Fatalf("%q: %v", argument, err)
		}
	})
}
