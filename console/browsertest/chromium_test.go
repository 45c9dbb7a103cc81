// Package browsertest tests the console in a real browser, Chromium. It is a module of its own, so
// that the library that drives the browser reaches nobody else. It has tests only.
//
//	make console-browser     the tests
//	make console-pictures    docs/console/*.png
package browsertest_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"sync"
	"testing"

	"github.com/chromedp/chromedp"
)

// browser is the Chromium that all tests share. Each test has tabs of its own in it.
var browser struct {
	once sync.Once
	ctx  context.Context
	stop context.CancelFunc
	err  error
}

func TestMain(m *testing.M) {
	flag.Parse()
	code := m.Run()
	if browser.stop != nil {
		browser.stop()
	}
	os.Exit(code)
}

// chromium starts the browser when it is first needed. Its profile is in a temporary directory, and
// goes with it.
func chromium(t testing.TB) context.Context {
	t.Helper()
	browser.once.Do(func() {
		options := append(chromedp.DefaultExecAllocatorOptions[:],
			chromedp.Flag("hide-scrollbars", true),
			chromedp.Flag("font-render-hinting", "none"), // pictures of one machine are alike
		)
		allocator, end := chromedp.NewExecAllocator(context.Background(), options...)
		ctx, cancel := chromedp.NewContext(allocator)
		browser.ctx = ctx
		browser.stop = func() {
			cancel()
			end()
		}
		if browser.err = chromedp.Do(ctx); browser.err != nil {
			browser.err = fmt.Errorf("%w (scripts/need chromium installs it)", browser.err)
		}
	})
	if browser.err != nil {
		t.Fatal(browser.err)
	}
	return browser.ctx
}
