package browsertest_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
)

// parkMore parks further messages and reads the queue again, so that all browsers get hints.
func (s *shop) parkMore(n int) {
	s.t.Helper()
	f := parkedOrders[2]
	f.count = n
	s.publish(s.errors, parked(strings.TrimSuffix(s.errors, "-error"), "shop", time.Now(), f)...)
	s.messages += n
	s.read(s.queue, s.messages)
}

// newer waits until the page has heard of a newer reading.
const newer = `document.querySelector(".newer a") !== null`

// places returns where rows and fields are on the screen, with what stands in them.
func places(b *tab) string {
	b.t.Helper()
	return eval[string](b, `[...document.querySelectorAll("tr[data-key], input, button, h1")].map((e) => {
		const r = e.getBoundingClientRect();
		return [e.dataset.key || e.id || e.textContent, r.x, r.y, r.width, r.height, e.value, e.checked].join(" ");
	}).join("\n") + "\n" + [scrollX, scrollY, document.activeElement.id || document.activeElement.href]`)
}

// differences returns the lines of two texts that are not the same.
func differences(before, after string) string {
	was, is := strings.Split(before, "\n"), strings.Split(after, "\n")
	if len(was) != len(is) {
		return fmt.Sprintf("%d places, and now %d", len(was), len(is))
	}
	var all []string
	for i := range was {
		if was[i] != is[i] {
			all = append(all, was[i]+" -> "+is[i])
		}
	}
	return strings.Join(all[:min(4, len(all))], "\n")
}

func TestNothingMovesWhenThereIsANewerReading(t *testing.T) {
	s := newShop(t, nil)
	list := s.queue + "?show=list"
	for _, width := range []int64{wide, narrow} {
		b := newTab(t)
		b.look("light", width)
		for what, act := range map[string]func(){
			"typing":    func() { b.do(chromedp.SendKeys(chromedp.CSS("#filter"), "reason=ti")) },
			"scrolling": func() { b.do(chromedp.Evaluate[chromedp.Void](`scrollTo(0, document.body.scrollHeight / 2)`)) },
			"ticking": func() {
				b.do(chromedp.Evaluate[chromedp.Void](`document.querySelectorAll("tr[data-key] input[type=checkbox]")[3]?.click()`))
			},
			"a focus": func() { b.do(chromedp.Focus(chromedp.CSS("tr[data-key]:nth-child(7) a"))) },
		} {
			b.open(list)
			b.until(readAll(s.messages))
			act()
			before := places(b)
			s.parkMore(3)
			b.until(newer)
			b.until(`!document.querySelector("progress")`)
			if diff := differences(before, places(b)); diff != "" {
				t.Errorf("%s, %d px: moved:\n%s", what, width, diff)
			}
		}
		b.clean("list", false)
	}
}

// A refresh between the press and the release of a button, or just before both, opens no other row.
func TestTheClickedMessageIsTheOneThatOpens(t *testing.T) {
	s := newShop(t, nil)
	b := newTab(t)
	b.open(s.queue + "?show=list")
	b.until(readAll(s.messages))
	row := eval[struct {
		Mark string
		X, Y float64
	}](b, `(() => {
		const row = document.querySelectorAll("tr[data-key]")[4], r = row.querySelector("a").getBoundingClientRect();
		return {Mark: row.dataset.key, X: r.x + 10, Y: r.y + 5};
	})()`)
	press := chromedp.Steps(
		chromedp.MouseEvent(input.DispatchMouseEventTypeMouseMoved, row.X, row.Y),
		chromedp.MouseEvent(input.DispatchMouseEventTypeMousePressed, row.X, row.Y, chromedp.ButtonLeft, chromedp.ClickCount(1)),
	)
	b.do(press)
	s.parkMore(5)
	b.until(newer)
	b.do(chromedp.MouseEvent(input.DispatchMouseEventTypeMouseReleased, row.X, row.Y, chromedp.ButtonLeft, chromedp.ClickCount(1)))
	b.until(`location.pathname.includes("/m/")`)
	if at := eval[string](b, `location.pathname`); !strings.HasSuffix(at, "/m/"+row.Mark) {
		t.Errorf("the click on %s opened %s", row.Mark, at)
	}
}

// The page of the kinds of failure follows a reading, and what is typed stays.
func TestTypingGoesOnWhileAReadingIsShown(t *testing.T) {
	s := newShop(t, nil)
	b := newTab(t)
	b.open(s.queue)
	b.until(readAll(s.messages))
	filter := `error~"not for sale"`
	for i, c := range filter {
		if i%5 == 0 {
			s.parkMore(1)
		}
		b.do(chromedp.SendKeys(chromedp.CSS("#filter"), string(c)))
	}
	b.until(readAll(s.messages))
	if typed := eval[string](b, `document.activeElement.id + " " + document.activeElement.value`); typed != "filter "+filter {
		t.Errorf("there is %q", typed)
	}
	b.do(chromedp.KeyEvent("\r"))
	b.until(`location.search.includes("filter=")`)
	b.until(`document.querySelectorAll("tr[data-key]").length > 0`)
	if got := eval[string](b, `new URL(location).searchParams.get("filter")`); got != filter {
		t.Errorf("it searches for %q", got)
	}
}
