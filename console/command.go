package console

import (
	"fmt"
	"strings"

	"github.com/bunnicula-go/bunnicula/internal/foreign"
	"github.com/bunnicula-go/bunnicula/internal/transport"
)

// commandLine returns the line of a shell that shows what a page shows. Control characters in an
// argument would become other ones on the page, so a line with one is left out: "".
func commandLine(words ...string) string {
	line := "bunnicula"
	for _, w := range words {
		if foreign.Line(w, len(w)) != w {
			return ""
		}
		line += " " + quoted(w)
	}
	return line
}

// quoted quotes an argument for a POSIX shell, if it needs quotes.
func quoted(w string) string {
	safe := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./:=,@+%", r)
	}
	if w != "" && strings.IndexFunc(w, func(r rune) bool { return !safe(r) }) < 0 {
		return w
	}
	return "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
}

// shown returns the broker's address for people. It has no password.
func shown(p transport.Peer) string {
	if p.Addr == "" {
		return ""
	}
	return fmt.Sprintf("%s/%s · %s %s", p.Addr, strings.TrimPrefix(p.VHost, "/"), p.Product, p.Version)
}
