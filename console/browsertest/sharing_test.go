package browsertest_test

import (
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
)

// follow waits until this many browsers follow hints.
func (s *site) followers(want int) {
	s.t.Helper()
	amqptest.Eventually(s.t, 20*time.Second, func() bool { return s.hints.Load() == int64(want) }, "%d browsers follow hints", want)
}

func TestTwentyBrowsersShareOneReading(t *testing.T) {
	s := newShop(t, nil)
	browsers := []*tab{newTab(t), newTab(t), newTab(t), newTab(t)}
	reading := ""
	var tabs []*tab
	for i := range 20 {
		b := browsers[i%len(browsers)].window()
		b.open(s.queue + "?show=list")
		version := eval[string](b, `document.getElementById("main").dataset.pinned`)
		if reading == "" {
			reading = version
		}
		if version != reading {
			t.Errorf("a browser shows the reading %s, and another %s", version, reading)
		}
		tabs = append(tabs, b)
	}
	s.followers(20)
	s.parkMore(1)
	for _, b := range tabs {
		b.until(newer)
		b.clean("list", false)
		b.close()
	}
	s.followers(0)
}

// A browser has six connections for each site. Tabs that are not seen keep none of them.
func TestHiddenTabsFollowNoHints(t *testing.T) {
	s := newShop(t, nil)
	first := newTab(t)
	first.open(s.queue)
	s.followers(1)
	for range 8 {
		b := openTab(t, first.ctx, chromedp.WithNewWindow(false)) // in front of the one before it
		b.open(s.queue)
		b.until(readAll(s.messages))
	}
	s.followers(1)
	s.parkMore(2)
	first.do(call(page.BringToFront, cdp.Empty{}))
	first.until(readAll(s.messages))
	s.followers(1)
}
