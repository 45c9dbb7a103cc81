package main

import (
	"fmt"
	"os"

	"github.com/mattn/go-isatty"
)

// newProgress shows the current measurement. On a terminal that is one line, which it overwrites;
// elsewhere it shows nothing. clear removes the line at the end.
func newProgress(f *os.File) (show func(format string, args ...any), clear func()) {
	if !isatty.IsTerminal(f.Fd()) {
		return func(string, ...any) {}, func() {}
	}
	const back = "\r\x1b[K" // to the start of the line, and clear it
	return func(format string, args ...any) {
		text := fmt.Sprintf(format, args...)
		fmt.Fprint(f, back+text[:min(len(text), 110)])
	}, func() { fmt.Fprint(f, back) }
}
