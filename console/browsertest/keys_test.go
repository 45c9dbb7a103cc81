package browsertest_test

import (
	"strings"
	"testing"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// press presses a key as a hand does: a page that takes the key keeps its letter from a field.
func (b *tab) press(key string) {
	b.t.Helper()
	if len(key) != 1 || key < " " {
		b.do(chromedp.KeyEvent(key))
		return
	}
	b.do(
		call(input.DispatchKeyEvent, input.DispatchKeyEventParams{Type: input.DispatchKeyEventTypeKeyDown, Key: key, Text: key}),
		call(input.DispatchKeyEvent, input.DispatchKeyEventParams{Type: input.DispatchKeyEventTypeKeyUp, Key: key}),
	)
}

func TestKeysLeadThroughThePages(t *testing.T) {
	s := newShop(t, nil)
	b := newTab(t)
	b.open(s.queue)
	b.until(readAll(s.messages))
	at := func(want string) {
		t.Helper()
		b.until(`location.href.includes("` + want + `") && document.readyState === "complete"`)
	}

	b.press("j")
	b.press("j")
	b.press("k")
	first := eval[string](b, `document.querySelector("tr[data-key] a").href`)
	if focused := eval[string](b, `document.activeElement.href`); focused != first {
		t.Errorf("the focus is on %q, want the first row, %q", focused, first)
	}
	b.press(kb.Enter)
	at("/g/")
	b.press("g")
	b.until(`location.pathname === "/ops/"`)

	b.open(s.queue)
	b.press("/")
	b.until(`document.activeElement.id === "filter"`)
	for _, c := range "id=order-204003 gjk" { // letters that are keys elsewhere
		b.press(string(c))
	}
	if typed := eval[string](b, `document.activeElement.value`); !strings.HasSuffix(typed, "gjk") {
		t.Errorf("typed is %q", typed)
	}
	for range " gjk" {
		b.press(kb.Backspace)
	}
	b.press(kb.Enter)
	at("filter=")
	b.until(`document.querySelectorAll("tr[data-key]").length === 1`)
	b.press("j")
	b.press(kb.Enter)
	at("/m/")

	b.open(s.queue + "?show=list")
	b.press("]")
	at("page=2")
	b.press("[")
	at("page=1")
	b.clean("keys", false)
}

// Tab reaches all that can be clicked, and what has the focus is seen.
func TestTabReachesEverything(t *testing.T) {
	s := newShop(t, nil)
	b := newTab(t)
	for _, p := range s.pages(b)[:4] {
		b.open(p.url)
		wanted := eval[int](b, `[...document.querySelectorAll("a[href], button, input, select, summary")].filter((e) => e.checkVisibility() && !e.disabled).length`)
		seen := map[string]bool{}
		for range wanted + 5 {
			b.do(chromedp.KeyEvent(kb.Tab))
			state := eval[struct {
				Name    string
				Visible bool
			}](b, `(() => {
				const e = document.activeElement, all = [...document.querySelectorAll("*")], style = getComputedStyle(e);
				return {Name: e === document.body ? "" : String(all.indexOf(e)), Visible: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0};
			})()`)
			if state.Name == "" {
				break
			}
			if !state.Visible {
				t.Errorf("%s: no outline at %s", p.name, eval[string](b, `document.activeElement.outerHTML`))
			}
			seen[state.Name] = true
		}
		if len(seen) < wanted {
			t.Errorf("%s: Tab reached %d of %d", p.name, len(seen), wanted)
		}
	}
}

// Ticks are of what stands in the queue now: a message that is parked again by the operation for
// which it was ticked has its mark of before, and nobody has chosen it anew.
func TestAnOperationUnticksWhatItTakes(t *testing.T) {
	s := newShop(t, nil)
	b := newTab(t)
	b.open(s.queue + "?show=list")
	b.until(`document.querySelectorAll("#selection input[type=checkbox]").length > 3`)
	eval[bool](b, `[0, 2, 3].forEach((i) => document.querySelectorAll("#selection input[type=checkbox]")[i].click()) || true`)
	if says := eval[string](b, `document.querySelector(".ticked").innerText`); !strings.Contains(says, "The ticked messages, 3:") || !strings.Contains(says, "Untick all") {
		t.Errorf("the buttons say %q", says)
	}
	if eval[bool](b, `document.querySelector(".ticked").getBoundingClientRect().bottom > innerHeight`) {
		t.Error("the buttons of what is ticked are out of view")
	}
	b.do(chromedp.Click(`button[name=ticked][value=export]`))
	b.until(`document.querySelector("button.do") !== null`)
	b.do(chromedp.Click("button.do"))
	b.until(`location.pathname.includes("/ops/") && document.readyState === "complete"`)
	if kept := eval[string](b, `JSON.stringify(Object.values(sessionStorage))`); kept != `["[]"]` {
		t.Errorf("ticked is still %s", kept)
	}
}
