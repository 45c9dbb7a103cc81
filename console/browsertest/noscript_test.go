package browsertest_test

import (
	"net/url"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"

	"strings"
	"time"
)

// text is what a page says. It needs no script of the page.
func (b *tab) text() string {
	b.t.Helper()
	return eval[string](b, `document.body.innerText`)
}

// follow clicks a link, and waits for the page.
func (b *tab) follow(selector, path string) {
	b.t.Helper()
	b.do(chromedp.Click(chromedp.CSS(selector)))
	b.until(`location.href.includes("` + path + `") && document.readyState === "complete" && document.getElementById("main") !== null`)
}

func TestEverythingCanBeReadWithoutScripts(t *testing.T) {
	plan := newQueue(t, "orders")
	s := newSite(t, amqptest.URL(t), nil, plan)
	errors := plan.Queue + "-error"
	s.publish(errors, parked(plan.Queue, "shop", time.Now(), parkedOrders[0], parkedOrders[2], parkedOrders[4])...)
	b := newTab(t)
	b.do(call(emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}))
	says := func(wanted ...string) {
		t.Helper()
		page := b.text()
		for _, w := range wanted {
			if !strings.Contains(page, w) {
				t.Errorf("the page does not say %q:\n%s", w, page)
			}
		}
	}

	b.open(s.url)
	says(plan.Queue, "Parked")
	b.follow(`tbody a[href*="/q/"]`, "/q/")
	b.until(readAll(60)) // the page loads itself again until it is
	says("cannot unmarshal", "not for sale", "index out of range", "1.38.2", "Numbers")
	b.follow(`tbody a[href*="/g/"]`, "/g/")
	says("Versions", "Hosts", "Messages")
	b.follow(`tr[data-key] a[href*="/m/"]`, "/m/")
	says("Attempts", "Body", "tenant", `"total"`)
	first := eval[string](b, `location.pathname`)
	b.follow(`a[rel=next]`, "/m/")
	b.until(`location.pathname !== "` + first + `"`)
	b.follow(`a[href*="as=hex"]`, "as=hex")
	says("00000000  7b 22")

	b.open(s.url + "q/" + url.PathEscape(errors))
	b.follow(`details#terms summary`, "/q/") // it opens without a script
	says("All must match.")
	b.do(chromedp.SendKeys(chromedp.CSS("#filter"), "reason=panic\r"))
	b.until(`location.search.includes("reason") && document.querySelectorAll("tr[data-key]").length === 9`)
	b.follow(`header a[href$="topology"]`, "topology")
	says("Ways", "Queues and exchanges")
	b.follow(`header a[href$="doctor"]`, "doctor")
	says("messages given up")
	if shown := eval[int](b, `[...document.querySelectorAll("button")].filter((b) => b.offsetParent && b.type === "button").length`); shown > 0 {
		t.Errorf("%d buttons are shown that need a script", shown)
	}
	b.clean("without scripts", false)
}
