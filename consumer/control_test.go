package consumer

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
)

func TestWhatTheApplicationAndAnOrderSayStandsSideBySide(t *testing.T) {
	for name, row := range map[string]struct {
		paused bool
		most   int
		order  Order
		limit  int
		takes  bool
	}{
		"neither":                        {false, 0, Order{}, 8, true},
		"the app pauses":                 {true, 0, Order{}, 8, false},
		"an order pauses":                {false, 0, Order{Paused: true}, 8, false},
		"both pause":                     {true, 0, Order{Paused: true}, 8, false},
		"an app's pause, another order":  {true, 0, Order{Limit: 2}, 2, false},
		"the app limits":                 {false, 3, Order{}, 3, true},
		"an order limits":                {false, 0, Order{Limit: 3}, 3, true},
		"the app limits lower":           {false, 2, Order{Limit: 3}, 2, true},
		"an order limits lower":          {false, 3, Order{Limit: 2}, 2, true},
		"an app's limit, a pause of all": {false, 3, Order{Paused: true}, 3, false},
		"an order to pause and limit":    {false, 0, Order{Paused: true, Limit: 1}, 1, false},
		"an order above the Concurrency": {false, 0, Order{Limit: 9}, 8, true},
		"a negative order":               {false, 0, Order{Limit: -1}, 8, true},
	} {
		t.Run(name, func(t *testing.T) {
			c := quiet(t, spec(func(s *Spec) { s.Concurrency = 8 }))
			orders := []func(){
				func() {
					if err := c.Limit(row.most); err != nil {
						t.Error(err)
					}
				},
				func() { c.Obey(row.order) },
			}
			if row.paused {
				orders = append(orders, c.Pause)
			} else {
				orders = append(orders, c.Resume)
			}
			for i := range orders { // whichever comes first
				for j := range orders {
					orders[(i+j)%len(orders)]()
				}
				h := c.Health()
				if h.Limit != row.limit || h.Paused == row.takes || h.PausedByOrder != row.order.Paused {
					t.Errorf("%+v", h)
				}
				if takes := c.control.get().prefetch() > 0; takes != row.takes {
					t.Errorf("it takes messages: %t", takes)
				}
				want := 0 // while it is paused no handler begins
				if row.takes {
					want = row.limit
				}
				if slots := int(c.control.slots.Load()); slots != want {
					t.Errorf("workers see %d slots, want %d", slots, want)
				}
			}
		})
	}
}

func TestResumeLiftsNoOrderAndAnOrderLiftsNoPause(t *testing.T) {
	c := quiet(t, spec(nil))
	c.Obey(Order{Paused: true, Why: "the bank is down"})
	c.Resume()
	if h := c.Health(); !h.Paused || !h.PausedByOrder || h.OrderedWhy != "the bank is down" {
		t.Errorf("%+v", h)
	}
	c.Pause()
	c.Obey(Order{})
	if h := c.Health(); !h.Paused || h.PausedByOrder || h.OrderedWhy != "" {
		t.Errorf("%+v", h)
	}
	c.Resume()
	if h := c.Health(); h.Paused {
		t.Errorf("%+v", h)
	}
}

func TestALimitThatCannotBeIsRefusedAndChangesNothing(t *testing.T) {
	c := quiet(t, spec(func(s *Spec) { s.Concurrency = 4 }))
	if err := c.Limit(3); err != nil {
		t.Fatal(err)
	}
	for n, want := range map[int]string{
		5:  `consumer "orders": Limit is 5, want 1 to the Concurrency, 4, or 0 for none`,
		-1: `consumer "orders": Limit is -1, want 1 to the Concurrency, 4, or 0 for none`,
	} {
		if err := c.Limit(n); err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
		if h := c.Health(); h.Limit != 3 {
			t.Errorf("%+v", h)
		}
	}
}

func TestTheReasonOfAnOrderIsOneLineThatIsNotLong(t *testing.T) {
	c := quiet(t, spec(nil))
	c.Obey(Order{Paused: true, Why: "ann@\x1b[2Jhost:\nthe bank is down " + strings.Repeat("x", 1000)})
	if why := c.Health().OrderedWhy; strings.ContainsAny(why, "\x1b\n") || len(why) > 512 || !strings.Contains(why, "the bank is down") {
		t.Errorf("%d bytes, %q", len(why), why)
	}
}

func TestHowManyAreTakenFollowsTheLimit(t *testing.T) {
	for name, row := range map[string]struct {
		concurrency, prefetch int
		single                bool
		limit                 int
		want                  int
	}{
		"no limit":                       {8, 0, false, 0, 16},
		"open":                           {50, 0, false, 20, 40},
		"open, and low":                  {50, 0, false, 2, 10},
		"open, and as many as before":    {50, 0, false, 50, 100},
		"open, of few":                   {2, 0, false, 1, 10},
		"set":                            {50, 100, false, 25, 50},
		"set, rounded up":                {7, 10, false, 3, 5},
		"set, for one":                   {50, 100, false, 1, 2},
		"set to the Concurrency":         {50, 50, false, 7, 7},
		"set, and as many as before":     {50, 100, false, 50, 100},
		"a single active consumer":       {50, 100, true, 1, 100},
		"a single active consumer, open": {50, 0, true, 1, 100},
	} {
		c := quiet(t, spec(func(s *Spec) { s.Concurrency, s.Prefetch, s.SingleActive = row.concurrency, row.prefetch, row.single }))
		if err := c.Limit(row.limit); err != nil {
			t.Error(err)
		}
		if got := c.control.get().prefetch(); got != row.want {
			t.Errorf("%s: %d are taken, want %d", name, got, row.want)
		}
	}
	// Fast handlers take more ahead, and with a limit no more than it needs.
	c := quiet(t, spec(func(s *Spec) { s.Concurrency = 50 }))
	for limit, want := range map[int]int{0: 300, 20: 40, 1: 10} {
		c.control.update(func(w *wanted) { w.ahead, w.most = 300, limit })
		if got := c.control.get().prefetch(); got != want {
			t.Errorf("with fast handlers and a limit of %d %d are taken, want %d", limit, got, want)
		}
	}
}

func TestStuckHandlersCountAgainstTheLimit(t *testing.T) {
	w := wanted{concurrency: 4, ahead: 10, stuck: 1, blocked: 1}
	for most, want := range map[int]bool{0: false, 3: false, 2: true, 1: true} {
		if w.most = most; w.wedged() != want || (w.prefetch() == 0) != want {
			t.Errorf("with a limit of %d: wedged is %t, prefetch %d", most, w.wedged(), w.prefetch())
		}
	}
}

// A handler that gives up because of a stop would else free its worker for the next message, which
// would overtake it.
func TestNoHandlerBeginsWhenHandlersKnowOfAStop(t *testing.T) {
	for range 50 { // a worker that is free may also notice the end first
		synctest.Test(t, stopsBeforeTheNext)
	}
}

func stopsBeforeTheNext(t *testing.T) {
	c, err := New(nil, Spec{Queue: "orders", Concurrency: 1, Handler: func(context.Context, Delivery) Result { return Ack() }}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	began := make(chan bool, 2)
	c.pool.handle = func(*worker, *received) {
		began <- true
		<-c.stages.connecting.Done() // as a handler does that looks at Stopping
	}
	c.pool.add(new(received), new(received))
	<-began
	synctest.Wait()
	if err := c.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	select {
	case <-began:
		t.Error("the next one began")
	default:
	}
}
