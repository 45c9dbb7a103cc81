package browsertest_test

import (
	"encoding/json"

	"github.com/chromedp/chromedp"
)

// set types a text into a field, in the place of what is there.
func (b *tab) set(field, text string) {
	b.t.Helper()
	b.do(
		chromedp.Focus(chromedp.CSS(field)),
		chromedp.Evaluate[chromedp.Void](`document.activeElement.select()`),
		chromedp.KeyEvent(text),
	)
}

// submit presses a button, and waits for the page with this in its path.
func (b *tab) submit(button, path string) {
	b.t.Helper()
	b.do(chromedp.Evaluate[chromedp.Void](`window.left = false`))
	b.do(chromedp.Click(chromedp.CSS(button)))
	b.until(`window.left === undefined && location.pathname.includes("` + path + `") && document.readyState === "complete"`)
}

// quoted is a text as a literal of a script.
func quoted(text string) string {
	literal, _ := json.Marshal(text)
	return string(literal)
}
