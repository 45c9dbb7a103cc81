package console

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bunnicula-go/bunnicula/control"
)

// send sends a form to a path.
func sendOrder(c http.Handler, path string, fields url.Values, header ...string) *http.Response {
	r := httptest.NewRequest(http.MethodPost, "http://localhost:7337"+path, strings.NewReader(fields.Encode()))
	r.RemoteAddr = "127.0.0.1:50000"
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	c.ServeHTTP(w, r)
	return w.Result()
}

var ticketOf = regexp.MustCompile(`name="ticket" value="([^"]*)"`)

// form opens a form and returns its ticket.
func form(t *testing.T, c http.Handler, path string) string {
	t.Helper()
	answer := get(c, path)
	page := text(t, answer)
	found := ticketOf.FindStringSubmatch(page)
	if answer.StatusCode != http.StatusOK || found == nil {
		t.Fatalf("%s is no form: %s\n%s", path, answer.Status, page)
	}
	return found[1]
}

// ordering is a Console for ann, who may do everything, with a fleet.
func ordering(t *testing.T, f *aFleet) *Console {
	t.Helper()
	c := made(t, Config{Identify: func(r *http.Request) (User, error) {
		return owner(r.Header.Get("Who")+"ann@example.com", Change), nil
	}})
	withFleet(t, c, f)
	return c
}

func TestAnOrderSaysByWhomForHowLongAndWhy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &aFleet{processes: fleetOf()}
		c := ordering(t, f)
		page := answered(t, c, "/fleet/order?do=pause&name=orders")
		for _, want := range []string{"Pause orders in 2 processes", "host-1 pid 7", "until somebody resumes it"} {
			if !strings.Contains(page, want) {
				t.Errorf("the form lacks %q:\n%s", want, page)
			}
		}
		fields := url.Values{"ticket": {form(t, c, "/fleet/order?do=pause&name=orders")}, "for": {"4h"}, "why": {" the bank is down "}}
		page = text(t, sendOrder(c, "/fleet/order?do=pause", fields))
		if !strings.Contains(page, "Paused orders in 2 processes") || !strings.Contains(page, "--for 4h --why &#39;the bank is down&#39;") {
			t.Errorf("the answer is\n%s", page)
		}
		if answer := sendOrder(c, "/fleet/order?do=pause", fields); answer.StatusCode != http.StatusForbidden {
			t.Errorf("the same form again: %s", answer.Status)
		}
		fields = url.Values{"ticket": {form(t, c, "/fleet/order?do=limit")}, "for": {"forever"}, "limit": {"3"}}
		sendOrder(c, "/fleet/order?do=limit", fields)
		f.orders = []control.Order{{ID: "x", Consumer: "gone", Paused: true}}
		time.Sleep(time.Minute)
		fields = url.Values{"ticket": {form(t, c, "/fleet/order?do=resume")}, "why": {"done"}}
		sendOrder(c, "/fleet/order?do=resume", fields)
		if len(f.given) != 3 {
			t.Fatalf("%d orders were given: %+v", len(f.given), f.given)
		}
		pause, limit, resume := f.given[0], f.given[1], f.given[2]
		if pause.By != "ann@example.com" || pause.Why != "the bank is down" || pause.For != 4*time.Hour || pause.Forever || !slices.Equal(pause.Consumers, []string{"orders"}) {
			t.Errorf("the pause is %+v", pause)
		}
		if !limit.Forever || f.limits[1] != 3 || !slices.Equal(limit.Consumers, []string{"mails", "orders", "refunds"}) {
			t.Errorf("the limit is %+v of %d", limit, f.limits[1])
		}
		if !slices.Equal(resume.Consumers, []string{"gone"}) || !slices.Equal(f.kinds, []orderKind{toPause, toLimit, toResume}) {
			t.Errorf("the resume is %+v of %v", resume, f.kinds)
		}
	})
}

func TestAFormThatIsNoneOrderNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &aFleet{processes: fleetOf()}
		c := ordering(t, f)
		path := "/fleet/order?do=pause"
		long := strings.Repeat("ä", 251)
		for name, row := range map[string]struct {
			fields url.Values
			header []string
			want   int
		}{
			"no ticket":       {url.Values{"for": {"1h"}}, nil, http.StatusForbidden},
			"another user":    {url.Values{"ticket": {form(t, c, path)}, "for": {"1h"}}, []string{"Who", "not "}, http.StatusForbidden},
			"another site":    {url.Values{"ticket": {form(t, c, path)}, "for": {"1h"}}, []string{"Sec-Fetch-Site", "cross-site"}, http.StatusForbidden},
			"no duration":     {url.Values{"ticket": {form(t, c, path)}}, nil, http.StatusBadRequest},
			"a long reason":   {url.Values{"ticket": {form(t, c, path)}, "for": {"1h"}, "why": {long}}, nil, http.StatusBadRequest},
			"no limit":        {url.Values{"ticket": {form(t, c, "/fleet/order?do=limit")}, "for": {"1h"}}, nil, http.StatusBadRequest},
			"a hostile limit": {url.Values{"ticket": {form(t, c, "/fleet/order?do=limit")}, "for": {"1h"}, "limit": {"-1"}}, nil, http.StatusBadRequest},
		} {
			if answer := sendOrder(c, path, row.fields, row.header...); answer.StatusCode != row.want {
				t.Errorf("%s: %s, want %d\n%s", name, answer.Status, row.want, text(t, answer))
			}
		}
		for _, link := range []string{"/fleet/order?do=drop", "/fleet/order?do=pause&name=*", "/fleet/order?do=pause&name=", "/fleet/order?do=pause&name=" + strings.Repeat("x", 256)} {
			if answer := get(c, link); answer.StatusCode != http.StatusBadRequest && answer.StatusCode != http.StatusNotFound {
				t.Errorf("%s: %s", link, answer.Status)
			}
		}
		if len(f.given) != 0 {
			t.Errorf("orders were given: %+v", f.given)
		}
	})
}

func TestAnOrderThatFailsSaysWhetherItStands(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for want, err := range map[string]error{
			"Nothing was changed: a limit of 9":              errors.Join(errors.New("a limit of 9"), &control.LimitError{Consumer: "orders", Limit: 9, Concurrency: 4}),
			"<h1>Not done</h1>":                              errors.New("control: refused"),
			"<h1>It is not known whether it was done</h1>":   contextEnded(),
			"There is no stream bunnicula-control, so no pr": errNoStream,
		} {
			f := &aFleet{processes: fleetOf(), orderErr: err}
			c := ordering(t, f)
			fields := url.Values{"ticket": {form(t, c, "/fleet/order?do=pause&name=orders")}, "for": {"1h"}}
			if page := text(t, sendOrder(c, "/fleet/order?do=pause", fields)); !strings.Contains(page, want) {
				t.Errorf("%v: the page lacks %q:\n%s", err, want, page)
			}
		}
	})
}

func TestOnlyWhoMayMoveAllThatAnOrderConcernsMayGiveIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		processes := fleetOf()
		shared := processes[0].Consumers[1] // a consumer of the same name, with another queue
		shared.Name, shared.Queue = "orders", "orders-of-others"
		f := &aFleet{processes: processes, orders: []control.Order{{ID: "x", Consumer: "gone", Paused: true}}}
		grants := []Grant{{Queues: "orders", Right: Move}, {Queues: "refunds", Right: Read}}
		c := made(t, Config{Identify: func(*http.Request) (User, error) { return User{Name: "sam", Grants: grants}, nil }})
		withFleet(t, c, f)
		ask := func(name string) int { return get(c, "/fleet/order?do=pause&name="+name).StatusCode }
		for name, want := range map[string]int{"orders": http.StatusOK, "refunds": http.StatusForbidden, "mails": http.StatusForbidden, "gone": http.StatusForbidden} {
			if got := ask(name); got != want {
				t.Errorf("%s: %d, want %d", name, got, want)
			}
		}
		ticket := form(t, c, "/fleet/order?do=pause&name=orders")
		processes[1].Consumers = append(processes[1].Consumers, shared)
		time.Sleep(time.Minute)
		if answer := sendOrder(c, "/fleet/order?do=pause", url.Values{"ticket": {ticket}, "for": {"1h"}}); answer.StatusCode != http.StatusForbidden || len(f.given) != 0 {
			t.Errorf("an order for a queue of others: %s, %+v", answer.Status, f.given)
		}
	})
}

func TestAConsoleThatOnlyReadsHasNoFormsAndNoLinksToThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &aFleet{processes: fleetOf(), orders: []control.Order{{ID: "x", Consumer: "orders", Paused: true}}}
		c := made(t, Config{ReadOnly: true, Identify: func(*http.Request) (User, error) { return owner("ann", Change), nil }})
		withFleet(t, c, f)
		for _, path := range []string{"/fleet", "/c/orders"} {
			if page := answered(t, c, path); strings.Contains(page, "order?") || strings.Contains(page, "Pause") {
				t.Errorf("%s leads to a form:\n%s", path, page)
			}
		}
		for _, path := range []string{"/fleet/order?do=pause&name=orders", "/c/orders/order?do=pause"} {
			if answer := get(c, path); answer.StatusCode != http.StatusNotFound {
				t.Errorf("%s: %s", path, answer.Status)
			}
		}
	})
}

func TestTextsOfProcessesAndOrdersMakeNoElements(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pages := func(h string) (all []string) {
			since := time.Now().Add(-time.Minute)
			processes := fleetOf(control.Handler{MessageID: h, Type: h, Attempt: 2, Since: since, Stuck: true, Stack: h + "\n" + h})
			for i := range processes {
				p := &processes[i]
				p.Host, p.App, p.AppVersion, p.Trouble = h, h, h, h
				p.Consumers[0].Err = h
			}
			processes[0].Consumers = append(processes[0].Consumers, control.Member{Name: "z" + h, Queue: "orders", Concurrency: 1, Limit: 1})
			f := &aFleet{processes: processes, orders: []control.Order{{ID: "x", Consumer: "orders", Paused: true, By: h, Why: h}, {ID: "y", Consumer: "z" + h, Limit: 2, By: h, Why: h}}}
			c := ordering(t, f)
			for _, path := range []string{"/fleet", "/c/orders", "/fleet/order?do=pause", "/fleet/order?do=resume", "/fleet/order?do=pause&name=" + url.QueryEscape("z"+h)} {
				page := answered(t, c, path)
				_, page, _ = strings.Cut(page, "\r\n\r\n")
				if i := strings.IndexFunc(page, func(r rune) bool {
					return r < ' ' && r != '\n' && r != '\t' || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069
				}); i >= 0 {
					t.Errorf("%q on %s: %q is on the page", h, path, page[max(0, i-40):i+10])
				}
				page = regexp.MustCompile(`(?s)<p class="command">.*?</p>`).ReplaceAllString(page, "")
				all = append(all, skeleton(page))
			}
			return all
		}
		for _, h := range hostile {
			if strings.Contains(h, "*") {
				continue // that is no name
			}
			plain := pages(strings.Repeat("x", len(h)))
			for i, got := range pages(h) {
				if got != plain[i] {
					t.Errorf("%q, page %d: the elements are\n%s\nwant\n%s", h, i, got, plain[i])
				}
			}
		}
	})
}
