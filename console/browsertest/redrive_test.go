package browsertest_test

import (
	"net/url"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
)

// tabTo presses Tab until the focus is on an element.
func (b *tab) tabTo(selector string) {
	b.t.Helper()
	at := `document.activeElement.matches(` + quoted(selector) + `)`
	for range 200 {
		if eval[bool](b, at) {
			return
		}
		b.press(kb.Tab)
	}
	b.t.Fatalf("Tab never reaches %s", selector)
}

// arrived waits for the page to which a key has led.
func (b *tab) arrived(path string) {
	b.t.Helper()
	b.until(`location.pathname.includes("` + path + `") && document.readyState === "complete"`)
}

// An operator without a mouse filters, ticks, plans, redrives, and sees the outcome.
func TestAWholeRedriveByKeyboard(t *testing.T) {
	s := newShop(t, nil)
	b := newTab(t)
	b.open(s.url)
	b.tabTo(`a[href*="/q/"]`)
	b.press(kb.Enter)
	b.arrived("/q/")
	b.until(readAll(s.messages))
	b.press("/")
	b.until(`document.activeElement.id === "filter"`)
	for _, c := range "reason=panic" {
		b.press(string(c))
	}
	b.press(kb.Enter)
	b.until(`location.search.includes("filter=") && document.querySelectorAll("tr[data-key]").length === 9`)

	for range 2 { // the second and the fourth row
		b.tabTo(`tr[data-key] input[type=checkbox]:not(:checked)`)
		b.press(kb.Tab)
		b.tabTo(`tr[data-key] input[type=checkbox]:not(:checked)`)
		b.press(" ")
	}
	ticked := eval[[]string](b, `[...document.querySelectorAll("tr[data-key] input:checked")].map((i) => i.value)`)
	if len(ticked) != 2 {
		t.Fatalf("%d rows are ticked, want 2", len(ticked))
	}
	b.tabTo(`button[name=ticked][value=redrive]`)
	b.press(kb.Enter)
	b.arrived("/plan")
	if title := eval[string](b, `document.querySelector("h1").textContent`); title != "Redrive 2 of "+s.errors {
		t.Errorf("the plan is %q", title)
	}
	b.tabTo(`button.do`)
	if text := eval[string](b, `document.activeElement.textContent`); text != "Redrive 2" {
		t.Errorf("the button says %q", text)
	}
	b.press(kb.Enter)
	b.arrived("/ops/")
	b.until(`document.getElementById("main").innerText.includes("Done.")`)
	b.tabTo(`a[href$="` + url.PathEscape(s.errors) + `"]`)
	b.press(kb.Enter)
	b.arrived("/q/")
	b.clean("redrive", false)
	main := s.errors[:len(s.errors)-len("-error")]
	amqptest.Eventually(t, 20*time.Second, func() bool { return amqptest.Depth(t, main) == 2 }, "two messages are redriven")

	// What was redriven is gone from where it stood, and can not be ticked again.
	b.open(s.queue + "?filter=" + url.QueryEscape("reason=panic"))
	for _, mark := range ticked {
		if eval[bool](b, `document.querySelector("tr[data-key='`+mark+`'] input") !== null`) {
			t.Errorf("%s was redriven, and can still be ticked", mark)
		}
	}
}

// Who clicks twice gets what was clicked once, and is led to it.
func TestADoubleClickDoesOnce(t *testing.T) {
	s := newShop(t, nil)
	b := newTab(t)
	b.open(s.queue + "?filter=" + url.QueryEscape("reason=panic"))
	b.until(`document.querySelectorAll("tr[data-key]").length === 9`)
	b.submit(`button[name=all][value=redrive]`, "/plan")
	b.set("#batches", "")
	b.do(chromedp.DoubleClick(chromedp.CSS("button.do")))
	main := s.errors[:len(s.errors)-len("-error")]
	amqptest.Eventually(t, 20*time.Second, func() bool { return amqptest.Depth(t, main) == 9 }, "nine messages are redriven")
	b.until(`document.readyState === "complete" && document.querySelector("main") !== null && document.querySelector("button.do") === null`)
	if !eval[bool](b, `location.pathname.includes("/ops/")`) {
		b.follow(`main a[href*="/ops/"]`, "/ops/")
	}
	b.until(`document.getElementById("main").innerText.includes("Done.")`)
}
