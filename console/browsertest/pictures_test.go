package browsertest_test

import (
	"context"
	"flag"
	"os"
	"path/filepath"
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
	now := time.Now()
	var plans []topology.Plan
	for _, name := range []string{"orders", "mail", "refunds"} {
		plans = append(plans, topology.Plan{Queue: name, Delays: delays})
	}
	s := newSite(t, broker.URL, func(c *console.Config) { c.ManagementURL = api }, plans...)
	s.publish("orders-error", parked("orders", "shop", now, parkedOrders...)...)
	s.read(s.url+"q/orders-error", 1370)
	p := photographer{t: t, site: s, tab: newTab(t)}
	p.both("queue", "q/orders-error", 1370)
}

// photographer takes pictures of a site.
type photographer struct {
	t    *testing.T
	site *site
	tab  *tab
}

const pictureHeight = 800

// both takes a picture in light and in dark.
func (p photographer) both(name, path string, messages int) {
	p.t.Helper()
	for _, scheme := range []string{"light", "dark"} {
		p.tab.look(scheme, wide)
		p.tab.open(p.site.url + path)
		if messages > 0 {
			p.tab.until(readAll(messages))
		}
		p.take(name + "-" + scheme)
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
	if err := os.WriteFile(filepath.Join(*picturesTo, name+".png"), shot, 0o644); err != nil {
		p.t.Fatal(err)
	}
}
