package browsertest_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// axeFile is what scripts/axe installs.
const axeFile = "axe/node_modules/axe-core/axe.min.js"

const allRules = `{resultTypes: ["violations"]}`

// violation is what axe says of a page.
type violation struct {
	ID    string `json:"id"`
	Help  string `json:"help"`
	Nodes []struct {
		HTML    string `json:"html"`
		Summary string `json:"failureSummary"`
	} `json:"nodes"`
}

// axe returns what axe finds on the page that is open.
func axe(b *tab, script, options string) []violation {
	b.t.Helper()
	b.do(chromedp.Evaluate[chromedp.Void](script))
	return eval[[]violation](b, `axe.run(document, `+options+`).then((r) => r.violations)`)
}

func TestAxeFindsNothing(t *testing.T) {
	script, err := os.ReadFile(axeFile)
	if err != nil {
		t.Fatalf("%v (scripts/axe installs it)", err)
	}
	s := newShop(t, nil)
	b := newTab(t)
	b.do(call(page.SetBypassCSP, page.SetBypassCSPParams{Enabled: true})) // axe is no script of the console's
	pages := s.pages(b)
	for _, look := range []struct {
		scheme  string
		width   int64
		options string
	}{
		{"light", wide, allRules},
		{"light", narrow, allRules},
		{"dark", 720, `{runOnly: ["color-contrast", "scrollable-region-focusable"]}`}, // tables are wider than the window
	} {
		b.look(look.scheme, look.width)
		for _, p := range pages {
			b.open(p.url)
			for _, v := range axe(b, string(script), look.options) {
				var where []string
				for _, n := range v.Nodes[:min(3, len(v.Nodes))] {
					where = append(where, n.HTML+"\n\t"+strings.ReplaceAll(n.Summary, "\n", "\n\t"))
				}
				t.Errorf("%s, %s, %d px: %s: %s", p.name, look.scheme, look.width, v.ID, fmt.Sprint(v.Help, "\n", strings.Join(where, "\n")))
			}
		}
	}
}
