// Package api holds the exported API by golden files, one declaration a line, so that a change of
// it is a choice.
//
//	go test ./internal/test/api            the packages export what testdata says
//	go test ./internal/test/api -update    testdata says what they export
package api

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write what the packages export now to testdata")

const (
	root   = "../../.."
	module = "github.com/bunnicula-go/bunnicula/"
)

// trees are the packages that users import, with those below them.
var trees = []string{"connection", "topology", "publisher", "consumer", "monitoring", "errorqueue", "use", "codec", "control", "brokertest", "outbox", "pipeline", "console"}

func TestTheExportedAPIIsWhatTestdataSays(t *testing.T) {
	got := map[string]string{}
	for _, pkg := range load(t) {
		got[goldenFile(pkg.Path())] = strings.Join(lines(pkg), "\n") + "\n"
	}
	for _, tree := range trees {
		if _, ok := got[goldenFile(module+tree)]; !ok {
			t.Fatalf("package %s is not among what was loaded", tree)
		}
	}
	if *update {
		write(t, got)
		return
	}
	want := golden(t)
	failed := false
	for _, file := range union(got, want) {
		if diff := difference(want[file], got[file]); diff != "" {
			failed = true
			t.Errorf("%s:\n%s", file, diff)
		}
	}
	if failed {
		t.Error("if this change of the API is meant, keep it: make api (go test ./internal/test/api -update)")
	}
}

// goldenFile is consumer-consumertest.txt for .../consumer/consumertest.
func goldenFile(importPath string) string {
	return strings.ReplaceAll(strings.TrimPrefix(importPath, module), "/", "-") + ".txt"
}

// golden are the files in testdata, by name.
func golden(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", "*.txt"))
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all[filepath.Base(file)] = strings.ReplaceAll(string(text), "\r\n", "\n")
	}
	return all
}

func write(t *testing.T, all map[string]string) {
	t.Helper()
	for file := range golden(t) {
		if err := os.Remove(filepath.Join("testdata", file)); err != nil {
			t.Fatal(err)
		}
	}
	for file, text := range all {
		if err := os.WriteFile(filepath.Join("testdata", file), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func union(a, b map[string]string) []string {
	var names []string
	for name := range a {
		names = append(names, name)
	}
	for name := range b {
		if _, ok := a[name]; !ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// difference says which lines have gone and which have come.
func difference(want, got string) string {
	before, after := strings.Split(want, "\n"), strings.Split(got, "\n")
	var diff strings.Builder
	for _, line := range before {
		if !slices.Contains(after, line) {
			fmt.Fprintf(&diff, "\t- %s\n", line)
		}
	}
	for _, line := range after {
		if !slices.Contains(before, line) {
			fmt.Fprintf(&diff, "\t+ %s\n", line)
		}
	}
	return diff.String()
}
