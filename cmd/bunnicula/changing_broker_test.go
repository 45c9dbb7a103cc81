package main

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/internal/test/connecttest"
	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/topology"
)

// These tests do what docs/OPERATIONS.md says under "Changing a running system", step by step, with
// messages in each queue. Those with prune have a broker of their own, for its management API.

func TestAQueueIsRenamedWhileMessagesWait(t *testing.T) {
	amqptest.Long(t)
	b, api := amqptest.StartManaged(t)
	s := online(t)
	s.env["AMQP_URL"], s.env["RABBITMQ_MANAGEMENT_URL"] = b.URL, api
	client, log := rawClient(t, b.URL), &ledger{}
	bound := []topology.Bind{{Exchange: "events", Kind: "topic", Keys: []string{"order.*"}}}
	const delay = 5 * time.Second
	stopOld := log.work(t, b.URL, consumer.Spec{Queue: "orders", Backoff: []time.Duration{delay}, Bindings: bound, Concurrency: 20}, fates)
	const n = 40
	client.publish("events", "order.placed", 0, n)
	for i := range 4 {
		log.eventually(t, 10*time.Second, 1, every(n, i)...)
	}
	amqptest.Eventually(t, 10*time.Second, func() bool { return client.depth("orders-error") == n/4 }, "not all are parked")

	// 1. Start the consumer with the new name, which declares and binds its queues.
	file := file(t, `consumers:
  - queue: invoices
    delays: [1s]
    bindings: [{exchange: events, kind: topic, keys: [order.*]}]
`)
	log.work(t, b.URL, consumer.Spec{Queue: "invoices", Backoff: []time.Duration{time.Second}, Bindings: bound}, ack)
	// 2. Unbind the old queue. Publishers that name it name the new one.
	if err := client.ch.QueueUnbind("orders", "order.*", "events", nil); err != nil {
		t.Fatal(err)
	}
	client.publish("events", "order.placed", n, 2*n)
	// 3. Stop the old consumers.
	stopOld()
	stopped := time.Now()
	// 4. Move.
	s.run("move", "orders", "invoices", "--file", file, "--dry-run").want(t, exitOK, "would be moved", "nothing was moved")
	s.run("move", "orders", "invoices", "--file", file, "--wait", "1m", "--yes").want(t, exitOK, "nothing waits in the queues of orders any more", "prune --file")

	for i := range 4 {
		log.eventually(t, 20*time.Second, 1, every(n, i)...)
	}
	for _, i := range every(n, 1) { // its second attempt, after its delay
		log.eventually(t, 30*time.Second, 2, i)
		all := log.of(i)
		if last := all[len(all)-1]; last.by != "invoices" || last.attempt < 2 || last.at.Sub(all[0].at) < delay {
			t.Errorf("%d was handled as %+v, stopped at %s", i, all, stopped)
		}
	}
	for _, i := range every(n, 3) { // it was interrupted, and no attempt was used
		log.eventually(t, 20*time.Second, 2, i)
		if last := log.last(i); last.by != "invoices" || last.attempt != 1 {
			t.Errorf("%d was handled as %+v", i, log.of(i))
		}
	}
	for i := n; i < 2*n; i++ {
		log.eventually(t, 20*time.Second, 1, i)
		if last := log.last(i); last.by != "invoices" {
			t.Errorf("%d was handled by %s", i, last.by)
		}
	}
	if depth := client.depth("invoices-error"); depth != n/4 {
		t.Errorf("%d messages are parked, want %d", depth, n/4)
	}
	s.run("errors", "redrive", "invoices", "--all", "--yes").want(t, exitOK, "to invoices")
	for _, i := range every(n, 2) {
		log.eventually(t, 20*time.Second, 2, i)
	}
	// 5. Delete what is left.
	prune := []string{"topology", "prune", "--file", file, "--old", "orders", "--kinds", "main,retry,quarantine,error"}
	amqptest.Eventually(t, time.Minute, func() bool { return strings.Count(s.run(prune...).out, "can be deleted") == 4 }, "the API does not show that all are empty")
	s.run(append(prune, "--yes")...).want(t, exitOK, "orders  deleted", "orders-error  deleted")
	s.run(append(prune, "--yes")...).want(t, exitOK, "no queue that the file does not name")
	r := s.run("status", "--json").want(t, exitOK)
	if strings.Contains(r.out, `"orders`) || !strings.Contains(r.out, `"invoices"`) {
		t.Errorf("there are other queues:\n%s", r.out)
	}
}

func TestPruneLeavesWhatIsInUseBoundOrLedTo(t *testing.T) {
	amqptest.Long(t)
	b, api := amqptest.StartManaged(t)
	s := online(t)
	s.env["AMQP_URL"], s.env["RABBITMQ_MANAGEMENT_URL"] = b.URL, api
	client := rawClient(t, b.URL)
	old := file(t, `consumers:
  - queue: full
    delays: [1h]
  - queue: bound
    bindings: [{exchange: events, kind: topic, keys: [order.*]}]
  - queue: consumed
    type: classic
`)
	file := file(t, "consumers:\n  - queue: orders\n")
	s.run("topology", "apply", "--file", old, "--yes").want(t, exitOK)
	s.run("topology", "apply", "--file", file, "--yes").want(t, exitOK)
	client.publish("", "full-retry-1h", 0, 1)
	if _, err := client.ch.Consume("consumed", "", false, false, false, false, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := client.ch.QueueDeclare("stream-error", true, false, false, false, amqp.Table{"x-queue-type": "stream"}); err != nil {
		t.Fatal(err)
	}
	all := []string{"--old", "full", "--old", "bound", "--old", "consumed", "--old", "stream", "--old", "orders"}
	prune := slices.Clip(append([]string{"topology", "prune", "--file", file, "--yes"}, all...))
	kinds := slices.Clip(append(prune, "--kinds", "main,retry,quarantine,error"))
	amqptest.Eventually(t, time.Minute, func() bool {
		return !strings.Contains(s.run(append(kinds, "--yes=false")...).out, "does not yet know")
	}, "the API has no numbers")
	s.run(append(prune, "--kinds", "retry")...).want(t, exitFound, "nothing was deleted, because nothing can be", "nobody has asked for it: --kinds main")
	r := s.run(append(kinds, "--json")...).want(t, exitFound)
	var report pruneReport
	if err := json.Unmarshal([]byte(r.out), &report); err != nil {
		t.Fatal(err)
	}
	why := map[string]string{
		"full-retry-1h": "messages in it", "full": `"full-retry-1h" stays, and dead-letters to it`, "full-quarantine": "", "full-error": `"full" stays`,
		"bound": "brings messages into it", "bound-quarantine": "", "bound-error": `"bound" stays`,
		"consumed": "consumers of it", "consumed-error": `"consumed" stays`, "stream-error": "its type is stream",
	}
	if len(report.Queues) != len(why) {
		t.Errorf("%d queues, want %d:\n%s", len(report.Queues), len(why), r.out)
	}
	for _, l := range report.Queues {
		want, known := why[l.Queue]
		if !known || l.Deleted != (want == "") || !strings.Contains(l.Keep, want) {
			t.Errorf("%+v, want %q", l, want)
		}
	}
	if client.depth("full-retry-1h") != 1 {
		t.Error("its message is gone")
	}
}

func TestAnotherBackoffLeavesWhatWaitsToTheOldQueue(t *testing.T) {
	t.Parallel()
	queue, log := amqptest.Queue(t, "orders"), &ledger{}
	s := online(t)
	stopOld := log.work(t, s.env["AMQP_URL"], consumer.Spec{Queue: queue, Backoff: []time.Duration{3 * time.Second}}, func(context.Context, int) consumer.Result { return consumer.Retry(errNotYet) })
	client := rawClient(t, s.env["AMQP_URL"])
	client.publish("", queue, 0, 5)
	log.eventually(t, 10*time.Second, 1, 0, 1, 2, 3, 4)
	amqptest.Eventually(t, 10*time.Second, func() bool { return client.depth(queue+"-retry-3s") == 5 }, "not all wait")
	began := log.last(4).at
	// 1. Deploy the new Backoff.
	stopOld()
	log.work(t, s.env["AMQP_URL"], consumer.Spec{Queue: queue, Backoff: []time.Duration{time.Second}}, ack)
	// What waits comes back when its old delay is over, with its attempts.
	log.eventually(t, 20*time.Second, 2, 0, 1, 2, 3, 4)
	for n := range 5 {
		if last := log.last(n); last.attempt != 2 || n == 4 && last.at.Sub(began) < 3*time.Second {
			t.Errorf("%+v", log.of(n))
		}
	}
	// 2. Prune: the old queue is empty.
	now := file(t, "consumers:\n  - queue: "+queue+"\n    delays: [1s]\n")
	s.run("topology", "prune", "--file", now, "--delays", "3s").want(t, exitOK, queue+"-retry-3s  left", "management API does")
}

func TestALowerMaxRetriesMakesTheNextAttemptTheLast(t *testing.T) {
	t.Parallel()
	queue, log := amqptest.Queue(t, "orders"), &ledger{}
	url := amqptest.URL(t)
	again := func(context.Context, int) consumer.Result { return consumer.Retry(errNotYet) }
	stopOld := log.work(t, url, consumer.Spec{Queue: queue, MaxRetries: 10, Backoff: []time.Duration{500 * time.Millisecond}}, again)
	client := rawClient(t, url)
	client.publish("", queue, 0, 1)
	log.eventually(t, 20*time.Second, 4, 0) // three attempts are above the new limit
	stopOld()
	before := len(log.of(0))
	log.work(t, url, consumer.Spec{Queue: queue, MaxRetries: 1, Backoff: []time.Duration{500 * time.Millisecond}}, again)
	amqptest.Eventually(t, 20*time.Second, func() bool { return client.depth(queue+"-error") == 1 }, "it is not parked")
	if all := log.of(0); len(all) != before+1 || all[before].attempt != 2 {
		t.Errorf("%d times before, and then %+v", before, all)
	}
	if d := amqptest.Get(t, queue+"-error"); d.Headers["bunnicula-reason"] != string(monitoring.ReasonRetriesExhausted) {
		t.Errorf("parked with %v", d.Headers)
	}
}

func TestOtherArgumentsAreRefusedAndAnExistingQueueIsAdopted(t *testing.T) {
	t.Parallel()
	queue, log := amqptest.Queue(t, "orders"), &ledger{}
	url := amqptest.URL(t)
	client := rawClient(t, url)
	if _, err := client.ch.QueueDeclare(queue, true, false, false, false, amqp.Table{"x-queue-type": "classic", "x-max-priority": int32(5)}); err != nil {
		t.Fatal(err)
	}
	client.publish("", queue, 0, 4)
	spec := consumer.Spec{Queue: queue, Backoff: []time.Duration{time.Second}}
	conn := connecttest.New(t, connection.Config{})
	spec.Handler = consumer.JSON(func(context.Context, consumer.Message[job]) consumer.Result { return consumer.Ack() })
	refused, err := consumer.New(conn, spec, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	var mismatch *topology.MismatchError
	if err := refused.Start(t.Context()); !errors.As(err, &mismatch) {
		t.Fatalf("it is not refused: %v", err)
	}
	spec.Declare = topology.Satellites
	log.work(t, url, spec, func(_ context.Context, n int) consumer.Result {
		if len(log.of(n)) == 1 {
			return consumer.Retry(errNotYet)
		}
		return consumer.Error(errNotYet)
	})
	log.eventually(t, 20*time.Second, 2, 0, 1, 2, 3)
	amqptest.Eventually(t, 10*time.Second, func() bool { return client.depth(queue+"-error") == 4 }, "not all are parked")
}

// Another type and other arguments both need another queue.
func TestAClassicQueueBecomesAQuorumQueueByAMove(t *testing.T) {
	t.Parallel()
	old, now, log := amqptest.Queue(t, "orders"), amqptest.Queue(t, "orders-v2"), &ledger{}
	s := online(t)
	url := s.env["AMQP_URL"]
	stopOld := log.work(t, url, consumer.Spec{Queue: old, QueueType: topology.Classic, Backoff: []time.Duration{2 * time.Second}, Concurrency: 20}, fates)
	client := rawClient(t, url)
	const n = 20
	client.publish("", old, 0, n)
	for i := range 4 {
		log.eventually(t, 10*time.Second, 1, every(n, i)...)
	}
	amqptest.Eventually(t, 10*time.Second, func() bool { return client.depth(old+"-error") == n/4 }, "not all are parked")
	s.run("move", old, now, "--old-delays", "2s", "--yes").want(t, exitFound, `queue "`+now+`" of the new consumer does not exist`, "topology apply")
	stopNew := log.work(t, url, consumer.Spec{Queue: now, Backoff: []time.Duration{time.Second}}, ack)
	stopOld()
	s.run("move", old, now, "--old-delays", "2s", "--delays", "1s", "--leave-retries", "--wait", "1m", "--yes").want(t, exitOK, "nothing waits")
	for _, remainder := range []int{1, 3} {
		log.eventually(t, 20*time.Second, 2, every(n, remainder)...)
	}
	if depth := client.depth(now + "-error"); depth != n/4 {
		t.Errorf("%d messages are parked, want %d", depth, n/4)
	}
	// Back to the old name, with the new type.
	stopNew()
	client.publish("", now, n, n+5)
	for _, suffix := range []string{"", "-retry-2s", "-error"} {
		if gone, err := client.ch.QueueDelete(old+suffix, true, true, false); gone != 0 || err != nil {
			t.Fatalf("%s: %d messages, %v", suffix, gone, err)
		}
	}
	log.work(t, url, consumer.Spec{Queue: old, Backoff: []time.Duration{time.Second}}, ack)
	s.run("move", now, old, "--old-delays", "1s", "--yes").want(t, exitOK, "nothing waits")
	for i := n; i < n+5; i++ {
		log.eventually(t, 20*time.Second, 1, i)
		if last := log.last(i); last.by != old {
			t.Errorf("%d was handled by %s", i, last.by)
		}
	}
	if depth := client.depth(old + "-error"); depth != n/4 {
		t.Errorf("%d messages are parked, want %d", depth, n/4)
	}
}

func TestClojuresSchemeIsLeftByAMove(t *testing.T) {
	t.Parallel()
	old, now, log := amqptest.Queue(t, "orders"), amqptest.Queue(t, "orders-v2"), &ledger{}
	s := online(t)
	stopOld := log.work(t, s.env["AMQP_URL"], consumer.Spec{Queue: old, Scheme: topology.Bunnicula, Backoff: []time.Duration{5 * time.Second}, Concurrency: 8}, fates)
	client := rawClient(t, s.env["AMQP_URL"])
	client.publish("", old, 0, 8)
	for n := range 8 {
		log.eventually(t, 10*time.Second, 1, n)
	}
	amqptest.Eventually(t, 10*time.Second, func() bool { return client.depth(old+"-error") == 2 && client.depth(old+"-retry") == 2 }, "not all are settled")
	began := log.last(1).at
	log.work(t, s.env["AMQP_URL"], consumer.Spec{Queue: now, Backoff: []time.Duration{time.Second}}, ack)
	stopOld()
	s.run("move", old, now, "--old-delays", "none", "--yes").want(t, exitOK, "say --old-scheme bunnicula")
	s.run("move", old, now, "--old-scheme", "bunnicula", "--delays", "1s", "--yes").want(t, exitOK, "nothing waits")
	for _, n := range []int{1, 5, 3, 7} {
		log.eventually(t, 20*time.Second, 2, n)
	}
	if last := log.last(1); last.by != now || last.attempt != 2 || last.at.Sub(began) < 5*time.Second {
		t.Errorf("%+v", log.of(1))
	}
	if depth := client.depth(now + "-error"); depth != 2 {
		t.Errorf("%d messages are parked, want 2", depth)
	}
}

// A queue is split by what its messages are about. What waits is forwarded by the old handler.
func TestAQueueIsSplitByItsOldHandler(t *testing.T) {
	t.Parallel()
	old, now, log := amqptest.Queue(t, "orders"), amqptest.Queue(t, "refunds"), &ledger{}
	url := amqptest.URL(t)
	client := rawClient(t, url)
	exchange := amqptest.Queue(t, "events")
	both := []topology.Bind{{Exchange: exchange, Kind: "topic", Keys: []string{"order.*", "refund.*"}}}
	late := func(context.Context, int) consumer.Result { return consumer.RetryAfter(2*time.Second, errNotYet) }
	stopOld := log.work(t, url, consumer.Spec{Queue: old, Bindings: both, Backoff: []time.Duration{2 * time.Second}}, late)
	client.publish(exchange, "order.placed", 0, 5)
	client.publish(exchange, "refund.asked", 5, 10)
	log.eventually(t, 10*time.Second, 1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9)
	// 1. The new consumer, bound to its part.
	log.work(t, url, consumer.Spec{Queue: now, Bindings: []topology.Bind{{Exchange: exchange, Kind: "topic", Keys: []string{"refund.*"}}}}, ack)
	// 2. The old queue loses that part.
	if err := client.ch.QueueUnbind(old, "refund.*", exchange, nil); err != nil {
		t.Fatal(err)
	}
	// 3. The old handler forwards what it still gets of it.
	stopOld()
	forward := rawClient(t, url)
	log.work(t, url, consumer.Spec{
		Queue: old, Backoff: []time.Duration{2 * time.Second}, Concurrency: 1,
		Bindings: []topology.Bind{{Exchange: exchange, Kind: "topic", Keys: []string{"order.*"}}},
	}, func(_ context.Context, n int) consumer.Result {
		if n >= 5 {
			forward.publish("", now, n, n+1)
		}
		return consumer.Ack()
	})
	client.publish(exchange, "refund.asked", 10, 15)
	log.eventually(t, 20*time.Second, 2, 0, 1, 2, 3, 4)
	log.eventually(t, 20*time.Second, 3, 5, 6, 7, 8, 9)
	log.eventually(t, 20*time.Second, 1, 10, 11, 12, 13, 14)
	for n := range 15 {
		want := now
		if n < 5 {
			want = old
		}
		// The old handler may have had one of them twice, before it was stopped.
		amqptest.Eventually(t, 20*time.Second, func() bool { return log.last(n).by == want }, "%d is not handled by %s at last", n, want)
	}
}

func TestAConsumerIsRemovedWhenItsQueuesAreEmpty(t *testing.T) {
	amqptest.Long(t)
	b, api := amqptest.StartManaged(t)
	s := online(t)
	s.env["AMQP_URL"], s.env["RABBITMQ_MANAGEMENT_URL"] = b.URL, api
	client, log := rawClient(t, b.URL), &ledger{}
	stay := file(t, "consumers:\n  - queue: orders\n")
	s.run("topology", "apply", "--file", stay, "--yes").want(t, exitOK)
	first := func(_ context.Context, n int) consumer.Result {
		if len(log.of(n)) == 1 {
			return consumer.Retry(errNotYet)
		}
		return consumer.Ack()
	}
	stop := log.work(t, b.URL, consumer.Spec{Queue: "mails", Backoff: []time.Duration{3 * time.Second}}, first)
	client.publish("", "mails", 0, 10)
	log.eventually(t, 10*time.Second, 1, 0, 9)
	prune := []string{"topology", "prune", "--file", stay, "--old", "mails", "--kinds", "main,retry,quarantine,error"}
	// 1. Nobody publishes any more. 2. It runs until nothing waits.
	s.run(append(prune, "--yes")...).want(t, exitFound, "mails  left")
	for n := range 10 {
		log.eventually(t, 20*time.Second, 2, n)
	}
	// 3. Stop it. 4. Delete its queues.
	stop()
	amqptest.Eventually(t, time.Minute, func() bool { return s.run(append(prune, "--yes")...).code == exitOK }, "the queues are not deleted")
	s.run(prune...).want(t, exitOK, "no queue that the file does not name")
	s.run("status", "--file", stay).want(t, exitOK)
}
