package main

import (
	"fmt"
	"os"

	"github.com/mattn/go-isatty"
)

// newProgress shows what is being measured: a line on a terminal that is written over, and nothing elsewhere. What it
// returns for the end takes the line away.
func newProgress(f *os.File) (show func(format string, args ...any), clear func()) {
	if !isatty.IsTerminal(f.Fd()) {
		return func(string, ...any) {}, func() {}
	}
	const back = "\r\x1b[K" // to the line's start, and nothing behind
	return func(format string, args ...any) {
		text := fmt.Sprintf(format, args...)
		fmt.Fprint(f, back+text[:min(len(text), 110)])
	}, func() { fmt.Fprint(f, back) }
}
