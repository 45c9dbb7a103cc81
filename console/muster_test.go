package console

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/control"
)

// aFleet answers as processes do.
type aFleet struct {
	mu        sync.Mutex
	processes []control.Process
	orders    []control.Order
	err       error // of all that is asked
	orderErr  error // of orders that are given
	asked     int
	stopped   int
	given     []control.Command
	limits    []int
	kinds     []orderKind
}

func (f *aFleet) give(k orderKind, limit int, c control.Command) (control.Receipt, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.given, f.limits, f.kinds = append(f.given, c), append(f.limits, limit), append(f.kinds, k)
	if f.orderErr != nil {
		return control.Receipt{}, f.orderErr
	}
	return control.Receipt{Obeyed: f.processes, Orders: f.orders, Took: 120 * time.Millisecond}, nil
}

func (f *aFleet) Pause(_ context.Context, c control.Command) (control.Receipt, error) {
	return f.give(toPause, 0, c)
}

func (f *aFleet) Limit(_ context.Context, n int, c control.Command) (control.Receipt, error) {
	return f.give(toLimit, n, c)
}

func (f *aFleet) Resume(_ context.Context, c control.Command) (control.Receipt, error) {
	return f.give(toResume, 0, c)
}

func (f *aFleet) Orders(context.Context) ([]control.Order, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.orders, f.err
}

func (f *aFleet) Processes(ctx context.Context, wait time.Duration, _ ...string) ([]control.Process, error) {
	f.mu.Lock()
	f.asked++
	f.mu.Unlock()
	time.Sleep(300 * time.Millisecond)
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.processes, f.err
}

func (f *aFleet) Stop(context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stopped++
	return nil
}

func (f *aFleet) questions() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.asked
}

// fleetOf makes processes that have consumers of the queues orders and refunds, and of partitions.
func fleetOf(running ...control.Handler) []control.Process {
	member := func(name, queue, partitions string) control.Member {
		return control.Member{Name: name, Queue: queue, Partitions: partitions, Concurrency: 4, Limit: 4, Ready: true, Subscribed: true}
	}
	one := control.Process{ID: "1", Host: "host-1", PID: 7, App: "shop", AppVersion: "1.41.0", Consumers: []control.Member{member("orders", "orders", ""), member("refunds", "refunds", "")}}
	two := control.Process{ID: "2", Host: "host-2", PID: 7, App: "shop", AppVersion: "1.42.0", Consumers: []control.Member{member("orders", "orders", ""), member("mails.p00", "mails.p00", "mails")}}
	one.Consumers[0].Running, one.Consumers[0].RunningCount = running, len(running)
	return []control.Process{one, two}
}

// withFleet has a Console ask that fleet.
func withFleet(t *testing.T, c *Console, f *aFleet) {
	t.Helper()
	c.musters.close(t.Context())
	c.musters = newMusters("bunnicula-control", func() (fleet, error) { return f, nil }, func(context.Context, string) (bool, error) { return true, nil })
}

// answered asks for a page after the fleet has answered.
func answered(t *testing.T, c *Console, path string) string {
	t.Helper()
	get(c, path)
	time.Sleep(time.Second)
	return text(t, get(c, path))
}

func TestAllViewersShareOneQuestionInFiveSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &aFleet{processes: fleetOf()}
		c := made(t, Config{})
		withFleet(t, c, f)
		for range 20 {
			get(c, "/")
			get(c, "/topology")
		}
		synctest.Wait()
		if f.questions() != 0 {
			t.Fatal("the overview asks the fleet")
		}
		if page := text(t, get(c, "/fleet")); !strings.Contains(page, "Processes are asked") || !strings.Contains(page, `data-every="1"`) {
			t.Errorf("the first page waits, or does not say that it asks:\n%s", page)
		}
		var viewers sync.WaitGroup
		for range 20 {
			viewers.Go(func() {
				for range 60 {
					get(c, "/fleet")
					time.Sleep(time.Second)
				}
			})
		}
		viewers.Wait()
		if n := f.questions(); n < 8 || n > 12 {
			t.Errorf("%d questions in a minute", n)
		}
		if page := text(t, get(c, "/fleet")); !strings.Contains(page, "host-1 pid 7") || !strings.Contains(page, "2 processes have answered") {
			t.Errorf("the page is\n%s", page)
		}
		synctest.Wait()
		before := f.questions()
		time.Sleep(time.Hour)
		synctest.Wait()
		if n := f.questions(); n != before || f.stopped != 1 {
			t.Errorf("without viewers %d questions, and the connection was closed %d times", n-before, f.stopped)
		}
	})
}

func TestAFleetThatCannotBeAskedSaysWhatToDo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for want, err := range map[string]error{
			"There is no stream bunnicula-control, so no process obeys orders. Apps with control.Module declare it": errNoStream,
			"permission to write to the exchange bunnicula-control and to read the stream":                          &amqp.Error{Code: amqp.AccessRefused, Reason: "ACCESS_REFUSED - access to exchange"},
			"declare stream and exchange when they start":                                                           &amqp.Error{Code: amqp.NotFound, Reason: "NOT_FOUND - no exchange"},
			"the broker is away. This page asks again":                                                              errors.New("control: the broker is away."),
		} {
			c := made(t, Config{})
			withFleet(t, c, &aFleet{err: err})
			if page := answered(t, c, "/fleet"); !strings.Contains(page, want) {
				t.Errorf("%v: the page lacks %q:\n%s", err, want, page)
			}
		}
	})
}

func TestAfterAnOrderTheFleetIsAskedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &aFleet{processes: fleetOf()}
		m := newMusters("s", func() (fleet, error) { return f, nil }, func(context.Context, string) (bool, error) { return true, nil })
		first := m.get(t.Context())
		if m.get(t.Context()) != first {
			t.Error("it was asked twice within 5s")
		}
		if err := m.with(func(fleet) error { return nil }); err != nil {
			t.Fatal(err)
		}
		if m.shown(t.Context()) == first {
			t.Error("what was known before an order is shown after it")
		}
		m.close(t.Context())
		if err := m.with(func(fleet) error { return nil }); err == nil {
			t.Error("after the end an order is given")
		}
		if f.stopped != 1 {
			t.Errorf("it was stopped %d times", f.stopped)
		}
	})
}

func TestWhoLooksAtTheFleetSeesItsOwnConsumersAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &aFleet{processes: fleetOf(), orders: []control.Order{{ID: "x", Consumer: "refunds", Paused: true, By: "bob", Why: "secret reason"}, {ID: "y", Consumer: "orders", Limit: 1, By: "bob", Why: "slow"}}}
		c := made(t, Config{Identify: func(*http.Request) (User, error) {
			return User{Name: "sam", Grants: []Grant{{Queues: "orders", Right: Move}, {Queues: "mails", Right: See}}}, nil
		}})
		withFleet(t, c, f)
		page := answered(t, c, "/fleet")
		for _, want := range []string{"/c/orders", "mails.p00", "limited to 1 a process", "Pause 1 consumer…", "Lift 1 order…"} {
			if !strings.Contains(page, want) {
				t.Errorf("the page lacks %q", want)
			}
		}
		for _, not := range []string{"refunds", "secret reason"} {
			if strings.Contains(page, not) {
				t.Errorf("the page has %q", not)
			}
		}
	})
}

// contextEnded is the error of an order for which the time was over.
func contextEnded() error {
	return errors.Join(errors.New("control: write to the exchange"), context.DeadlineExceeded)
}
