package console

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
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
	As      string // "json", "text" or "hex"
	Views   []bodyView
	Text    string
	Page    int
	Pages   int
	Previous,
	Next string // links
	Download string // link
}

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
