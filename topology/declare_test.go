package topology_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/topology"
)

// recorder is a Declarer that records its calls. It refuses the call that starts with Refuse.
type recorder struct {
	Calls  []string
	Refuse string
	Err    error
}

func (r *recorder) call(format string, args ...any) error {
	call := fmt.Sprintf(format, args...)
	r.Calls = append(r.Calls, call)
	if r.Err != nil && strings.HasPrefix(call, r.Refuse) {
		return r.Err
	}
	return nil
}

func (r *recorder) ExchangeDeclare(name, kind string, durable, autoDelete, internal, noWait bool, args amqp.Table) error {
	return r.call("exchange %s %s durable=%v auto-delete=%v internal=%v no-wait=%v %v", name, kind, durable, autoDelete, internal, noWait, args)
}

func (r *recorder) QueueDeclare(name string, durable, autoDelete, exclusive, noWait bool, args amqp.Table) (amqp.Queue, error) {
	return amqp.Queue{}, r.call("queue %s durable=%v auto-delete=%v exclusive=%v no-wait=%v %v", name, durable, autoDelete, exclusive, noWait, args)
}

func (r *recorder) QueueDeclarePassive(name string, _, _, _, noWait bool, _ amqp.Table) (amqp.Queue, error) {
	return amqp.Queue{}, r.call("passive %s no-wait=%v", name, noWait)
}

func (r *recorder) QueueBind(name, key, exchange string, noWait bool, args amqp.Table) error {
	return r.call("bind %s to %s with %s no-wait=%v %v", name, exchange, key, noWait, args)
}

func TestBunniculaIsDeclaredInTheOrderOfClojure(t *testing.T) {
	var r recorder
	if err := mustNew(t, goldenPlans["bunnicula"]).Declare(&r); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"exchange orders-retry fanout durable=false auto-delete=true internal=false no-wait=false map[]",
		"exchange orders-error topic durable=true auto-delete=false internal=false no-wait=false map[]",
		"exchange orders-retry-requeue fanout durable=false auto-delete=true internal=false no-wait=false map[]",
		"queue orders durable=true auto-delete=false exclusive=false no-wait=false map[]",
		"queue orders-retry durable=true auto-delete=false exclusive=false no-wait=false map[x-dead-letter-exchange:orders-retry-requeue]",
		"queue orders-error durable=true auto-delete=false exclusive=false no-wait=false map[]",
		"bind orders to shop with orders no-wait=false map[]",
		"bind orders to orders-retry-requeue with # no-wait=false map[]",
		"bind orders-error to orders-error with # no-wait=false map[]",
		"bind orders-retry to orders-retry with # no-wait=false map[]",
	}
	if !slices.Equal(r.Calls, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(r.Calls, "\n"), strings.Join(want, "\n"))
	}
}

func TestSatellitesLooksForTheMainQueueAfterAllElse(t *testing.T) {
	var r recorder
	if err := mustNew(t, goldenPlans["satellites"]).Declare(&r); err != nil {
		t.Fatal(err)
	}
	want := []string{"exchange events", "queue orders-retry-10s", "queue orders-quarantine", "queue orders-error", "bind orders", "bind orders", "passive orders"}
	checkCalls(t, r.Calls, want)
}

func TestNeverOnlyLooks(t *testing.T) {
	var r recorder
	if err := mustNew(t, goldenPlans["never"]).Declare(&r); err != nil {
		t.Fatal(err)
	}
	checkCalls(t, r.Calls, []string{"passive orders", "passive orders-retry-10s", "passive orders-quarantine", "passive orders-error"})
}

func checkCalls(t *testing.T, got, want []string) {
	t.Helper()
	if !slices.EqualFunc(got, want, func(call, start string) bool { return strings.HasPrefix(call, start+" ") }) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestDeclareStopsAtTheFirstRefusal(t *testing.T) {
	r := recorder{Refuse: "queue q-retry-1s", Err: amqp.ErrClosed}
	err := mustNew(t, topology.Plan{Queue: "q", Delays: []time.Duration{time.Second}}).Declare(&r)
	checkCalls(t, r.Calls, []string{"queue q", "queue q-retry-1s"})
	if !errors.Is(err, amqp.ErrClosed) || !strings.HasPrefix(err.Error(), `topology: queue "q-retry-1s": `) {
		t.Errorf("got %v", err)
	}
}
