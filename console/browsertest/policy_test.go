package browsertest_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
)

// links returns the addresses of a page's links that begin with a text, each once.
func links(b *tab, prefix string) []string {
	b.t.Helper()
	all := eval[[]string](b, `[...document.querySelectorAll("a[href]")].map((a) => a.href)`)
	all = slices.DeleteFunc(all, func(l string) bool { return !strings.HasPrefix(l, prefix) })
	slices.Sort(all)
	return slices.Compact(all)
}

// markOf returns the mark in the link of a message.
func markOf(link string) string {
	_, rest, _ := strings.Cut(link, "/m/")
	mark, _, _ := strings.Cut(rest, "?")
	return mark
}

// clean fails if something went wrong in the tab since the last call. A page that is to be refused
// is logged by the browser.
func (b *tab) clean(what string, refused bool) {
	b.t.Helper()
	b.until(`document.readyState === "complete"`)
	for _, c := range b.takeComplaints() {
		if !refused || !strings.HasPrefix(c, "network: Failed to load resource") {
			b.t.Errorf("%s: %s", what, c)
		}
	}
}

// Nothing of a message, of a queue's name or of a link becomes a script, or changes the page.
func TestHostileTextsStayTexts(t *testing.T) {
	// A slash is in the names of queues, too.
	plan := newQueue(t, `q"'><script>alert(1)</script>`+"\u202e")
	s := newSite(t, amqptest.URL(t), nil, plan)
	messages := hostileMessages(time.Now())
	errors := plan.Queue + "-error"
	s.publish(errors, messages...)
	at := s.url + "q/" + url.PathEscape(errors)
	s.read(at, len(messages))

	b := newTab(t)
	seen := 0
	visit := func(link string, refused bool) {
		t.Helper()
		b.open(link)
		b.clean(link, refused)
		if main := eval[int](b, `document.querySelectorAll("body > main#main").length`); main != 1 {
			t.Errorf("%s: the page has %d main parts", link, main)
		}
		foreign := eval[int](b, `document.querySelectorAll("main script, main iframe, main img, main base, main meta, main link, main style, [onerror], [onload], [onfocus], [onmouseover]").length`)
		if foreign > 0 {
			t.Errorf("%s: %d elements are somebody else's", link, foreign)
		}
		seen++
	}
	for _, page := range []string{"", "topology", "doctor", "q/" + url.PathEscape(errors) + "?show=list"} {
		visit(s.url+page, false)
	}
	visit(at, false)
	groups := links(b, s.url+"q/")
	b.open(at + "?show=list")
	marks := slices.DeleteFunc(links(b, s.url+"q/"), func(l string) bool { return !strings.Contains(l, "/m/") })
	if len(marks) != len(messages) {
		t.Errorf("the list has %d messages, want %d", len(marks), len(messages))
	}
	for _, link := range groups {
		if strings.Contains(link, "/g/") {
			visit(link, false)
		}
	}
	for _, link := range marks {
		visit(link, false)
	}
	for _, page := range []string{
		"/plan?kind=redrive", "/plan?kind=delete", "/plan?kind=archive&filter=" + url.QueryEscape("reason="+hostile[0]),
		"/compare?a=" + markOf(marks[0]) + "&b=" + markOf(marks[len(marks)-1]),
	} {
		visit(at+page, false)
	}
	for _, page := range []string{"c/" + url.PathEscape(plan.Queue), "fleet", "ops", "search?filter=" + url.QueryEscape("error~alert")} {
		visit(s.url+page, false)
	}
	for _, as := range []string{"json", "text", "hex"} {
		visit(marks[0]+"&as="+as, false)
	}
	for _, text := range hostile[:9] {
		visit(at+"?filter="+url.QueryEscape(text), false)
		visit(at+"?filter="+url.QueryEscape(`error~"`+strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text)+`"`), false)
		visit(at+"?zone="+url.QueryEscape(text)+"&snapshot="+url.QueryEscape(text)+"&page="+url.QueryEscape(text), false)
		visit(s.url+url.PathEscape(text), true)
		visit(s.url+"q/"+url.PathEscape(text), true)
	}
	t.Logf("%d pages", seen)
}
