package browsertest_test

import (
	"context"
	"flag"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"github.com/bunnicula-go/bunnicula/console"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/topology"
)

var picturesTo = flag.String("pictures", "", "write the pictures to this `folder`")

// TestPictures makes the pictures of the documentation. Nothing compares them: somebody looks.
func TestPictures(t *testing.T) {
	if *picturesTo == "" {
		t.Skip("it writes pictures: make console-pictures")
	}
	broker, api := amqptest.StartManaged(t)
	var plans []topology.Plan
	for _, name := range []string{"orders", "mail", "refunds"} {
		plans = append(plans, topology.Plan{Queue: name, Delays: delays})
	}
	s := newSite(t, broker.URL, func(c *console.Config) { c.ManagementURL = api }, plans...)
	now := time.Now()
	s.publish("orders-error", parked("orders", "shop", now, parkedOrders...)...)
	s.publish("mail-error", parked("mail", "shop", now, parkedMail...)...)
	openShop(t, broker.URL,
		work{queue: "orders", rate: 42, limit: 4, takes: 60 * time.Millisecond, fails: 0.3},
		work{queue: "mail", rate: 11, limit: 2, takes: 40 * time.Millisecond},
		work{queue: "refunds", rate: 0.7})
	p := photographer{t: t, site: s, tab: newTab(t)}
	p.pages(now)
}

// pages takes a picture of each page.
func (p photographer) pages(now time.Time) {
	const orders = "q/orders-error"
	all := 0
	for _, f := range parkedOrders {
		all += f.count
	}
	p.site.read(p.site.url+orders, all)
	p.tab.open(p.site.url + orders)
	group := eval[string](p.tab, `document.querySelector("tr[data-key] a").href`) // of the most messages
	p.tab.open(p.site.url + orders + "?filter=reason%3Dpanic")
	message := links(p.tab, p.site.url+orders+"/m/")[3]
	p.tab.open(p.site.url) // begins to look at the lengths
	time.Sleep(time.Until(now.Add(40 * time.Second)))
	p.both("doctor", "doctor", 0)
	p.both("overview", "", 0)
	p.both("queue", orders, all)
	p.looks("list", func() {
		p.tab.open(p.site.url + orders + "?show=list&filter=" + url.QueryEscape("reason=timeout,panic version=1.42.0"))
		p.tab.until(readAll(all))
		p.tab.do(chromedp.Evaluate[chromedp.Void](`for (const n of [1, 3]) document.querySelectorAll("tr[data-key] input")[n].click()`))
	})
	p.both("group", strings.TrimPrefix(group, p.site.url), all)
	p.both("message", strings.TrimPrefix(message, p.site.url), 0)
	p.both("topology", "topology", 0)
	p.both("search", "search?filter="+url.QueryEscape("error~refused"), 0)
	p.both("consumer", "c/orders", 0)
	p.both("fleet", "fleet", 0)
	p.both("compare", strings.TrimPrefix(shop{site: p.site, queue: p.site.url + orders}.comparison(p.tab), p.site.url), 0)
	p.redrive(orders + "?filter=" + url.QueryEscape("reason=timeout"))
}

// redrive redrives what a filter chooses, and takes pictures on the way.
func (p photographer) redrive(list string) {
	p.t.Helper()
	p.tab.look("light", wide)
	p.tab.open(p.site.url + list)
	p.tab.submit(`button[name=all][value=redrive]`, `/plan`)
	p.tab.set("#batches", "1,10,100")
	p.tab.set("#watch", "8s")
	p.tab.submit(`button[formaction]`, `/plan`)
	p.looks("plan", func() {})
	p.tab.look("light", wide)
	p.tab.submit(`button.do`, `/ops/`)
	p.tab.until(`document.getElementById("main").innerText.includes("batch 2/") && document.getElementById("main").innerText.includes("watches")`)
	p.looks("operation", func() {})
	p.tab.look("light", wide)
	p.tab.until(`document.getElementById("main").innerText.includes("It stopped itself")`)
	p.looks("operation-stopped", func() {})
	p.looks("operations", func() { p.tab.open(p.site.url + "ops") })
}

// photographer takes pictures of a site.
type photographer struct {
	t    *testing.T
	site *site
	tab  *tab
}

// both takes pictures of a page, which shows a reading of so many messages if it shows one.
func (p photographer) both(name, path string, messages int) {
	p.t.Helper()
	p.looks(name, func() {
		p.tab.open(p.site.url + path)
		if messages > 0 {
			p.tab.until(readAll(messages))
		}
	})
}

// looks takes a picture in light and in dark, and one of a phone in light.
func (p photographer) looks(name string, open func()) {
	p.t.Helper()
	for _, look := range []struct {
		name, scheme string
		width        int64
	}{{"light", "light", wide}, {"dark", "dark", wide}, {"phone", "light", narrow}} {
		p.tab.look(look.scheme, look.width)
		open()
		p.take(name + "-" + look.name)
	}
}

// take writes a picture of what is seen.
func (p photographer) take(name string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.tab.ctx, actFor)
	defer cancel()
	shot, err := chromedp.Run(ctx, func(ctx context.Context, t *chromedp.Target) ([]byte, error) {
		answer, err := cdp.Call(ctx, t, page.CaptureScreenshot, page.CaptureScreenshotParams{})
		return answer.Data, err
	})
	if err != nil {
		p.t.Fatal(err)
	}
	if shot, err = shrink(shot); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(*picturesTo, name+".png"), shot, 0o644); err != nil {
		p.t.Fatal(err)
	}
}
