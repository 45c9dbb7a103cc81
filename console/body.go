package console

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strconv"
	"unicode/utf8"

	"github.com/bunnicula-go/bunnicula/errorqueue"
	"github.com/bunnicula-go/bunnicula/internal/foreign"
)

const (
	bodyPage   = 64 << 10 // bytes of a body on one page
	hexPage    = 16 << 10 // the same, of a hex dump, which is five times as long
	indentMost = 1 << 20  // bytes of JSON, before and after it is indented
)

// bodyData is what the page of a message shows of its body.
type bodyData struct {
	Size    int
	Kept    int    // bytes of it that a reading has kept, if not all
	Encoded string // what became of a content encoding
	As      string // "json", "text", "hex" or "decoded"
	Refused string // why there is no decoded text; somebody else's
	Views   []bodyView
	Text    string
	Page    int
	Pages   int
	Previous,
	Next string // links
	Download string // link
}

// body makes what the page shows of a body.
func (a *answer) body(v view, m *errorqueue.Message, mark, queue string) bodyData {
	body, said := bodyOf(m)
	q := a.r.URL.Query()
	d := bodyData{Size: m.BodySize, Encoded: said, Page: number(q.Get("page")), Download: v.Link("q", queue, "m", mark, "body")}
	if len(m.Body) < m.BodySize {
		d.Kept = len(m.Body)
	}
	as := q.Get("as")
	d.Text, d.As, d.Pages = render(body, as, d.Page)
	if a.console.decoder.decode != nil && (as == "decoded" || as == "" && d.As == "hex") {
		a.decode(m, &d)
	}
	d.Page = max(1, min(d.Page, d.Pages))
	link := func(as string, page int) string {
		text := ""
		if page > 1 {
			text = strconv.Itoa(page)
		}
		return v.link([]string{"q", queue, "m", mark}, "filter", q.Get("filter"), "snapshot", q.Get("snapshot"), "as", as, "page", text)
	}
	for _, as := range []string{"json", "text", "hex", "decoded"} {
		if as == "json" && d.As != as && indented(body) == nil || as == "decoded" && a.console.decoder.decode == nil {
			continue
		}
		d.Views = append(d.Views, bodyView{as, link(as, 1), as == d.As})
	}
	if d.Page > 1 {
		d.Previous = link(d.As, d.Page-1)
	}
	if d.Page < d.Pages {
		d.Next = link(d.As, d.Page+1)
	}
	return d
}

// decode shows what Config.Decode makes of a body.
func (a *answer) decode(m *errorqueue.Message, d *bodyData) {
	d.As = "decoded"
	var text string
	err := errPart
	if d.Kept == 0 {
		text, err = a.console.decoder.text(m)
	}
	if err != nil {
		d.Refused, d.Text, d.Pages = err.Error(), "", 1
		return
	}
	d.Text, _, d.Pages = render([]byte(text), "text", d.Page)
}

var errPart = errors.New("only a part of the body was kept, which is not decoded")

// bodyView is a way to show a body.
type bodyView struct {
	Name    string
	Href    string
	Current bool
}

// bodyOf returns the body with its content encoding undone, and says what became of that.
func bodyOf(m *errorqueue.Message) (body []byte, said string) {
	body, encoded, err := m.Decoded()
	switch {
	case len(m.Body) < m.BodySize && encoded:
		return m.Body, "as it came, because only a part of it was kept"
	case err != nil:
		return body, "as it came: " + err.Error()
	case encoded:
		return body, "decoded from " + m.ContentEncoding
	}
	return body, ""
}

// render makes the text of a page of a body. as is the view that was asked for, or "".
func render(body []byte, as string, page int) (text, shown string, pages int) {
	pretty := indented(body)
	if as == "json" && pretty == nil || as != "json" && as != "text" && as != "hex" {
		switch as = "text"; {
		case pretty != nil:
			as = "json"
		case !utf8.Valid(body):
			as = "hex"
		}
	}
	source, size := body, bodyPage
	switch as {
	case "json":
		source = pretty
	case "hex":
		size = hexPage
	}
	pages = max(1, (len(source)+size-1)/size)
	page = max(1, min(page, pages))
	part := source[(page-1)*size : min(len(source), page*size)]
	if as == "hex" {
		return hex.Dump(part), as, pages
	}
	return foreign.Lines(string(part), 4*bodyPage), as, pages
}

// indented returns JSON with an indent, and its numbers as they are. It returns nil for what is no
// JSON, or is large: deep brackets would become hundreds of times as long.
func indented(body []byte) []byte {
	if len(body) == 0 || len(body) > indentMost || indentedSize(body) > indentMost || !json.Valid(body) {
		return nil
	}
	var out bytes.Buffer
	if json.Indent(&out, body, "", "  ") != nil {
		return nil
	}
	return out.Bytes()
}

// indentedSize estimates the size of indented JSON. A bracket in a text counts too.
func indentedSize(body []byte) int {
	depth, size := 0, len(body)
	for _, b := range body {
		switch b {
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		case ',':
		default:
			continue
		}
		if size += 2*max(depth, 0) + 1; size > indentMost {
			break
		}
	}
	return size
}
