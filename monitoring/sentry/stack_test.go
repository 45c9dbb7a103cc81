package sentry

import (
	"runtime/debug"
	"strings"
	"testing"
)

func TestAStackIsReadFrameByFrame(t *testing.T) {
	const text = `goroutine 7 [running]:
runtime/debug.Stack()
	/usr/local/go/src/runtime/debug/stack.go:26 +0x5e
github.com/bunnicula-go/bunnicula/consumer.attempt.func1()
	/go/pkg/mod/github.com/bunnicula-go/bunnicula/consumer/attempt.go:40 +0x2b
panic({0x4b0e80?, 0xc0000140a8?})
	/usr/local/go/src/runtime/panic.go:792 +0x132
runtime.mapassign_faststr(0x1, 0x2, {0x3, 0x4})
	/usr/local/go/src/runtime/map.go:9 +0x1
example.com/shop/orders.(*Handler).Handle(0xc000012345, {0x1, 0x2}, ...)
	/src/shop/orders/handler.go:12 +0x34
github.com/bunnicula-go/bunnicula/consumer.JSON[...].func1(...)
	/go/pkg/mod/github.com/bunnicula-go/bunnicula/consumer/handler.go:5
created by example.com/shop/main.run in goroutine 1
	/src/shop/main.go:99 +0x56
`
	want := []struct {
		module, function, file string
		line                   int
		inApp                  bool
	}{
		{"example.com/shop/main", "run", "/src/shop/main.go", 99, true},
		{"github.com/bunnicula-go/bunnicula/consumer", "JSON[...].func1", "/go/pkg/mod/github.com/bunnicula-go/bunnicula/consumer/handler.go", 5, false},
		{"example.com/shop/orders", "(*Handler).Handle", "/src/shop/orders/handler.go", 12, true},
	}
	stack := parseStack(text)
	if stack == nil || len(stack.Frames) != len(want) {
		t.Fatalf("stack is %+v; want %d frames", stack, len(want))
	}
	for i, w := range want {
		f := stack.Frames[i]
		if f.Module != w.module || f.Function != w.function || f.AbsPath != w.file || f.Lineno != w.line || f.InApp != w.inApp {
			t.Errorf("frame %d is %+v; want %+v", i, f, w)
		}
	}
}

func TestTheStackOfThisGoroutineCanBeRead(t *testing.T) {
	stack := parseStack(string(debug.Stack()))
	if stack == nil {
		t.Fatal("it cannot")
	}
	if last := stack.Frames[len(stack.Frames)-1]; last.Function != "TestTheStackOfThisGoroutineCanBeRead" {
		t.Errorf("the innermost frame is %+v; want this test", last)
	}
}

func TestAnEndlessRecursionIsCut(t *testing.T) {
	stack := parseStack("panic(0)\n\ta.go:1\n" + strings.Repeat("main.f(0x1)\n\tmain.go:7 +0x1\n", 5000))
	if n := len(stack.Frames); n != maxFrames {
		t.Errorf("%d frames; want %d", n, maxFrames)
	}
}

func FuzzAnyTextCanBeReadAsAStack(f *testing.F) {
	f.Add(string(debug.Stack()))
	f.Add("")
	f.Add("x(\n\t:1")
	f.Add("created by \n\t:0 +0x")
	f.Fuzz(func(t *testing.T, text string) {
		if stack := parseStack(text); stack != nil && (len(stack.Frames) == 0 || len(stack.Frames) > maxFrames) {
			t.Errorf("%d frames", len(stack.Frames))
		}
	})
}
