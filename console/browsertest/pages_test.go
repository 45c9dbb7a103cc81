package browsertest_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/console"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
)

// shop is a site with the error queue of a shop's orders, which is read.
type shop struct {
	*site
	consumer string
	errors   string // the error queue
	queue    string // the link of its page
	messages int
}

// some is how many messages of a kind of failure tests need; pictures have all.
const some = 70

// newShop makes a shop. change may be nil.
func newShop(t testing.TB, change func(*console.Config)) shop {
	t.Helper()
	plan := newQueue(t, "orders")
	s := newSite(t, amqptest.URL(t), change, plan)
	var failures []failure
	for _, f := range parkedOrders {
		f.count = min(f.count, some)
		failures = append(failures, f)
	}
	messages := parked(plan.Queue, "shop", time.Now(), failures...)
	errors := plan.Queue + "-error"
	s.publish(errors, messages...)
	made := shop{site: s, consumer: plan.Queue, errors: errors, queue: s.url + "q/" + url.PathEscape(errors), messages: len(messages)}
	s.read(made.queue, made.messages)
	return made
}

// page is a page, or a state of one.
type somePage struct{ name, url string }

// pages returns each page and state that can be read. A tab finds the links.
func (s shop) pages(b *tab) []somePage {
	b.t.Helper()
	all := []somePage{
		{"overview", s.url},
		{"queue", s.queue},
		{"list", s.queue + "?show=list"},
		{"list's end", s.queue + "?show=list&page=99"},
		{"filter", s.queue + "?filter=" + url.QueryEscape("reason=panic,timeout version=1.42.0")},
		{"nothing matches", s.queue + "?filter=" + url.QueryEscape("id=nobody")},
		{"wrong filter", s.queue + "?filter=" + url.QueryEscape("reason")},
		{"dropped reading", s.queue + "?show=list&snapshot=99"},
		{"local zone", s.queue + "?zone=Europe%2FParis"},
		{"topology", s.url + "topology"},
		{"doctor", s.url + "doctor"},
		{"search", s.url + "search?filter=" + url.QueryEscape("error~refused")},
		{"nothing found", s.url + "search?filter=id%3Dnobody"},
		{"operations", s.url + "ops"},
		{"consumer", s.url + "c/" + url.PathEscape(s.consumer)},
		{"fleet", s.url + "fleet"},
		{"plan", s.queue + "/plan?kind=redrive&filter=" + url.QueryEscape("reason=panic")},
		{"plan of all", s.queue + "/plan?kind=delete"},
		{"no page", s.url + "nothing/here"},
		{"no queue", s.url + "q/nobody-error"},
	}
	b.open(s.queue)
	for _, l := range links(b, s.queue+"/g/")[:1] {
		all = append(all, somePage{"group", l})
	}
	b.open(s.queue + "?filter=reason%3Dpanic%2Cundecodable")
	for _, l := range links(b, s.queue+"/m/")[:2] {
		all = append(all, somePage{"message", l}, somePage{"message in hex", l + "&as=hex"})
	}
	all = append(all, somePage{"comparison", s.comparison(b)})
	b.open(s.url + "c/" + url.PathEscape(s.consumer))
	for _, l := range links(b, s.url+"fleet/order") {
		all = append(all, somePage{"order", l})
	}
	return all
}

// refused says that the page answers that there is none, which browsers log.
func (p somePage) refused() bool { return strings.HasPrefix(p.name, "no ") }

func TestNoPageHasAnythingToComplainAbout(t *testing.T) {
	s := newShop(t, nil)
	b := newTab(t)
	for _, p := range s.pages(b) {
		b.open(p.url)
		b.clean(p.name, p.refused())
		if wide := eval[int](b, `document.documentElement.scrollWidth - innerWidth`); wide > 0 {
			t.Errorf("%s: the page is %d px wider than the window", p.name, wide)
		}
	}
	b.look("light", narrow)
	for _, p := range s.pages(b) {
		b.open(p.url)
		if wide := eval[int](b, `document.documentElement.scrollWidth - innerWidth`); wide > 0 {
			t.Errorf("%s: the page is %d px wider than a phone", p.name, wide)
		}
	}
}

// comparison returns the link of the page that compares two messages, as a script makes it of the
// ticked ones.
func (s shop) comparison(b *tab) string {
	b.t.Helper()
	b.open(s.queue + "?filter=reason%3Dpanic%2Cundecodable")
	marks := eval[[]string](b, `[...document.querySelectorAll("tr[data-key]")].map((r) => r.dataset.key)`)
	return s.queue + "/compare?a=" + marks[0] + "&b=" + marks[len(marks)-1]
}
