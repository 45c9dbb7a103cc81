package browsertest_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

const (
	actFor = 20 * time.Second // one action, on a slow machine
	wide   = 1280
	narrow = 360
)

// watchPolicy tells of each violation of the policy by the console, where complaints are collected.
const watchPolicy = `addEventListener("securitypolicyviolation", (e) =>
	console.error("policy: " + e.violatedDirective + " " + e.blockedURI + " " + e.sample));`

// tab is a page of the browser, with cookies of its own, and what went wrong in it.
type tab struct {
	t     testing.TB
	ctx   context.Context
	close context.CancelFunc

	mu         sync.Mutex // guards complaints, which the listener writes
	complaints []string
}

// newTab opens a tab as another browser would: it shares nothing with other tabs.
func newTab(t testing.TB) *tab {
	t.Helper()
	return openTab(t, chromium(t), chromedp.WithNewBrowserContext())
}

// openTab opens a tab in the browser, or in the window, that ctx stands for.
func openTab(t testing.TB, ctx context.Context, options ...chromedp.ContextOption) *tab {
	t.Helper()
	ctx, cancel := chromedp.NewContext(ctx, options...)
	t.Cleanup(cancel)
	b := &tab{t: t, ctx: ctx, close: cancel}
	if err := chromedp.Listen(ctx, b.hear); err != nil {
		t.Fatal(err)
	}
	b.do(
		call(page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: watchPolicy}),
		chromedp.EmulateViewport(wide, 900),
	)
	return b
}

// window opens another window of the same browser.
func (b *tab) window() *tab {
	b.t.Helper()
	return openTab(b.t, b.ctx)
}

// call makes an action of a command whose answer is not needed.
func call[P, R any](command cdp.Command[P, R], params P) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, command, params)
		return err
	})
}

// hear collects what went wrong. It runs no command: the browser's answers come by the same
// goroutine.
func (b *tab) hear(event any) {
	switch e := event.(type) {
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError || e.Entry.Level == log.EntryLevelWarning {
			b.complain(fmt.Sprintf("%s: %s (%s)", e.Entry.Source, e.Entry.Text, e.Entry.URL))
		}
	case *runtime.EventExceptionThrown:
		b.complain("exception: " + e.ExceptionDetails.Text)
	case *runtime.EventConsoleAPICalled:
		var said []string
		for _, a := range e.Args {
			said = append(said, string(a.Value))
		}
		b.complain(fmt.Sprintf("console.%s: %s", e.Type, strings.Join(said, " ")))
	case *page.EventJavascriptDialogOpening:
		b.complain("dialog: " + e.Message)
		go func() { _ = chromedp.Do(b.ctx, call(page.HandleJavaScriptDialog, page.HandleJavaScriptDialogParams{})) }()
	}
}

func (b *tab) complain(text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.complaints = append(b.complaints, text)
}

// takeComplaints returns what went wrong since it was last called.
func (b *tab) takeComplaints() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := b.complaints
	b.complaints = nil
	return all
}

// do runs actions.
func (b *tab) do(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	for i, a := range actions {
		ctx, cancel := context.WithTimeout(b.ctx, actFor)
		err := chromedp.Do(ctx, a)
		cancel()
		if err != nil {
			b.t.Fatalf("action %d: %v\n%q", i, err, b.takeComplaints())
		}
	}
}

// open loads a page, and waits for it and its script.
func (b *tab) open(url string) {
	b.t.Helper()
	b.do(chromedp.Navigate(url))
}

// eval returns the value of an expression.
func eval[T any](b *tab, expression string) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, actFor)
	defer cancel()
	value, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatalf("%s: %v", expression, err)
	}
	return value
}

// until waits until an expression is true.
func (b *tab) until(expression string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, actFor)
	defer cancel()
	for {
		value, err := chromedp.Run(ctx, chromedp.Evaluate[bool](expression))
		if value {
			return
		}
		if ctx.Err() != nil {
			b.t.Fatalf("it never becomes true: %s (%v)\n%s", expression, err, eval[string](b, `document.getElementById("main")?.innerText.slice(0, 500) || ""`))
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// look sets the colours and the width of the window.
func (b *tab) look(scheme string, width int64) {
	b.t.Helper()
	b.do(
		call(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
			{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"},
		}}),
		chromedp.EmulateViewport(width, 900),
	)
}
