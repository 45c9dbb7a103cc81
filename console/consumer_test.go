package console

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bunnicula-go/bunnicula/control"
	"github.com/bunnicula-go/bunnicula/internal/inspect"
	"github.com/bunnicula-go/bunnicula/internal/management"
	"github.com/bunnicula-go/bunnicula/topology"
)

// looked has a Console know of these consumers, as if the broker had answered now.
func looked(c *Console, consumers ...inspect.Status) {
	l := &look{at: time.Now(), consumers: consumers}
	c.broker.mu.Lock()
	defer c.broker.mu.Unlock()
	c.broker.latest = l
	c.broker.seen.add(l)
}

// statusOf makes a consumer with n ready messages.
func statusOf(queue string, n int) inspect.Status {
	zero, one := 0, 1
	of, _, is := topology.PartitionOf(queue)
	if !is {
		of = queue
	}
	return inspect.Status{Consumer: queue, Queues: []inspect.QueueStatus{
		{Queue: queue, Role: topology.RoleMain, State: inspect.Present, Ready: &n, Unacked: &one, Consumers: &zero},
		{Queue: queue + "-retry-10s", Role: topology.RoleRetry, Delay: "10s", State: inspect.Present, Ready: &one},
		{Queue: queue + "-quarantine", Role: topology.RoleQuarantine, State: inspect.Present, Ready: &zero},
		{Queue: of + "-error", Role: topology.RoleError, State: inspect.Present, Ready: &one},
	}}
}

func TestAConsumersPageShowsItsQueuesAndWhatRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stuck := control.Handler{MessageID: "order-17", Type: "charge", Attempt: 3, Since: time.Now().Add(-time.Hour), Stuck: true, Stack: "goroutine 7 [select]:\nmain.pay()"}
		f := &aFleet{processes: fleetOf(stuck)}
		right := Read
		c := made(t, Config{Identify: func(*http.Request) (User, error) { return owner("sam", right), nil }})
		withFleet(t, c, f)
		looked(c, statusOf("orders", 12))
		page := answered(t, c, "/c/orders")
		for _, want := range []string{"orders-retry-10s", "orders-quarantine", `href="/q/orders-error"`, "order-17", "main.pay()", ">stuck</b>", "<svg class=\"picture\"", "<svg class=\"chart\"", "bunnicula status orders"} {
			if !strings.Contains(page, want) {
				t.Errorf("the page lacks %q:\n%s", want, page)
			}
		}
		if strings.Contains(page, "order?") {
			t.Error("who may only read is offered an order")
		}
		right = See
		page = answered(t, c, "/c/orders")
		for _, not := range []string{"order-17", "main.pay()", ">charge<"} {
			if strings.Contains(page, not) {
				t.Errorf("who may only see the queue reads %q", not)
			}
		}
		if !strings.Contains(page, "not yours to read") || !strings.Contains(page, ">stuck</b>") {
			t.Errorf("the page hides that a handler is stuck:\n%s", page)
		}
		right = Move
		if page = answered(t, c, "/c/orders"); !strings.Contains(page, "/fleet/order?do=pause&amp;name=orders") || strings.Contains(page, "this process") {
			t.Errorf("who may pause has no form for the fleet, or one for a process without such a consumer:\n%s", page)
		}
		if answer := get(c, "/c/none"); answer.StatusCode != http.StatusNotFound {
			t.Errorf("a consumer that is not there: %s", answer.Status)
		}
	})
}

func TestPartitionsAreATableAndTheirErrorQueueIsListedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := made(t, Config{})
		withFleet(t, c, &aFleet{processes: fleetOf()})
		looked(c, statusOf("mails.p00", 1), statusOf("mails.p01", 2), statusOf("orders", 0))
		page := answered(t, c, "/c/mails")
		if strings.Count(page, `href="/q/mails-error"`) != 1 || !strings.Contains(page, `href="/c/mails.p00"`) || !strings.Contains(page, `href="/c/mails.p01"`) {
			t.Errorf("the page is\n%s", page)
		}
	})
}

func TestAChartIsOfTheAPIOrOfWhatThisConsoleHasSeen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := made(t, Config{})
		withFleet(t, c, &aFleet{})
		for i := range 30 {
			looked(c, statusOf("orders", i))
			time.Sleep(time.Minute)
		}
		looked(c, statusOf("orders", 30))
		page := answered(t, c, "/c/orders")
		if !strings.Contains(page, "As this console has seen it") || strings.Count(page, `data-label="Published/s"`) != 31 {
			t.Errorf("the page has not what was seen:\n%s", page)
		}
		if page := answered(t, c, "/c/orders?span=day"); strings.Count(page, `data-label="Published/s"`) > 5 {
			t.Errorf("the day has more than a point each 10 minutes:\n%s", page)
		}
	})
}

func TestWhatTheAPIDoesNotKeepIsNotShownAsZero(t *testing.T) {
	kept := 3600
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/overview") {
			_, _ = fmt.Fprintf(w, `{"sample_retention_policies":{"basic":[600,%d]}}`, kept)
			return
		}
		asked++
		now := time.Now().Truncate(time.Minute).UnixMilli()
		_, _ = fmt.Fprintf(w, `{"messages_ready_details":{"samples":[{"sample":17,"timestamp":%d},{"sample":0,"timestamp":%d}]}}`, now, now-60_000)
	}))
	defer server.Close()
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	api, err := management.New(server.URL, &http.Client{Transport: transport})
	if err != nil {
		t.Fatal(err)
	}
	h := newHistories(api)
	for range 3 {
		if p := h.ask(t.Context(), "/", "orders", hourSpan); !p.api || len(p.points) != 2 || *p.points[1].Ready != 17 {
			t.Errorf("the hour is %+v", p)
		}
	}
	if p := h.ask(t.Context(), "/", "orders", daySpan); p.api || len(p.points) != 0 || p.kept != time.Hour || p.err != nil {
		t.Errorf("the day is %+v", p)
	}
	if asked != 1 {
		t.Errorf("the API was asked %d times", asked)
	}
	kept = 86400
	if p := newHistories(api).ask(t.Context(), "/", "orders", daySpan); !p.api || len(p.points) != 2 {
		t.Errorf("a day that is kept is %+v", p)
	}
}

func TestADayIsWhatWasSeenBeforeTheAPIsHour(t *testing.T) {
	at := time.Unix(1e9, 0)
	of := func(minutes ...int) (all []management.Point) {
		for _, m := range minutes {
			all = append(all, management.Point{At: at.Add(time.Duration(m) * time.Minute)})
		}
		return all
	}
	for _, row := range []struct{ seen, api, want []management.Point }{
		{of(-600, -90, -30, 0), of(-60, -1), of(-600, -90, -60, -1)},
		{of(-600), nil, of(-600)},
		{nil, of(-60), of(-60)},
	} {
		if got := joined(row.seen, row.api); !slices.Equal(got, row.want) {
			t.Errorf("%v, want %v", got, row.want)
		}
	}
}

func TestWhatIsSeenIsBounded(t *testing.T) {
	var all []management.Point
	at := time.Unix(1e9, 0)
	for range 3000 {
		all = extended(all, management.Point{At: at}, time.Minute, time.Hour)
		at = at.Add(5 * time.Second)
	}
	if len(all) > 62 {
		t.Errorf("%d points of an hour", len(all))
	}
}

func TestAChartHasGapsWhereNothingIsKnown(t *testing.T) {
	now := time.Unix(1e9, 0)
	n := func(i int) *int { return &i }
	p := &past{span: hourSpan, points: []management.Point{
		{At: now.Add(-2 * time.Hour), Ready: n(1000)}, {At: now.Add(-time.Hour), Ready: n(0)}, {At: now.Add(-30 * time.Minute)}, {At: now.Add(time.Minute), Ready: n(10)},
	}}
	d := drawn(view{zone: time.UTC, now: now}, p, now)
	line := d.line(float64(d.MostReady), readyOf)
	if len(d.Points) != 3 || d.MostReady != 10 || len(line) != 2 || line[0] != (place{0, 0, true}) || line[1] != (place{1, 1, true}) {
		t.Errorf("%d points, most %d, the line is %+v", len(d.Points), d.MostReady, line)
	}
}
