package sentry

import (
	"runtime"
	"slices"
	"strconv"
	"strings"

	sdk "github.com/getsentry/sentry-go"
)

// maxFrames limits a stack: an endless recursion has very many.
const maxFrames = 100

// parseStack reads the output of runtime/debug.Stack, innermost frame first. It returns the
// outermost frame first, as Sentry expects, or nil if there is no frame.
func parseStack(text string) *sdk.Stacktrace {
	var frames []sdk.Frame
	lines := strings.Split(text, "\n")
	for i := 0; i+1 < len(lines) && len(frames) < maxFrames; i++ {
		function, ok := functionOf(lines[i])
		if !ok {
			continue
		}
		file, line, ok := placeOf(lines[i+1])
		if !ok {
			continue
		}
		i++
		if function == "panic" || function == "runtime.Goexit" {
			// The frames before are deferred calls and the runtime, which are not the cause.
			frames = frames[:0]
			continue
		}
		frames = append(frames, newFrame(function, file, line))
	}
	frames = slices.DeleteFunc(frames, func(f sdk.Frame) bool { return f.Module == "runtime" || f.Module == "runtime/debug" })
	if len(frames) == 0 {
		return nil
	}
	slices.Reverse(frames)
	return &sdk.Stacktrace{Frames: frames}
}

func newFrame(function, file string, line int) sdk.Frame {
	f := sdk.NewFrame(runtime.Frame{Function: function, File: file, Line: line})
	f.InApp = inApp(f)
	return f
}

// inApp says whether a frame belongs to the application. In a program built with -trimpath,
// sentry-go would take all code for Go's standard library.
func inApp(f sdk.Frame) bool {
	first, _, _ := strings.Cut(f.Module, "/")
	switch {
	case strings.HasPrefix(f.Module, "github.com/bunnicula-go/bunnicula/"):
		return strings.Contains(f.Module, "/examples/")
	case f.Module == "main", strings.Contains(first, "."):
		return true
	default:
		return f.InApp
	}
}

// functionOf reads "path/to/package.(*Type).Method(0x1, {0x2, 0x3})" and
// "created by path/to/package.function in goroutine 7".
func functionOf(line string) (string, bool) {
	if created, ok := strings.CutPrefix(line, "created by "); ok {
		function, _, _ := strings.Cut(created, " in goroutine ")
		return function, function != ""
	}
	open := strings.LastIndexByte(line, '(')
	if open <= 0 || line[0] == '\t' || !strings.HasSuffix(line, ")") {
		return "", false
	}
	return line[:open], true
}

// placeOf reads "\t/path/to/file.go:12 +0x34".
func placeOf(line string) (file string, number int, ok bool) {
	line, ok = strings.CutPrefix(line, "\t")
	if !ok {
		return "", 0, false
	}
	line, _, _ = strings.Cut(line, " +0x")
	colon := strings.LastIndexByte(line, ':')
	if colon <= 0 {
		return "", 0, false
	}
	number, err := strconv.Atoi(line[colon+1:])
	return line[:colon], number, err == nil && number > 0
}
