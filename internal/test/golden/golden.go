// Package golden compares what tests got with files in testdata. With -update it writes the files
// instead.
package golden

import (
	"flag"
	"os"
	"path/filepath"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files in testdata instead of comparing with them")

// Compare fails the test if the text is not that of the file of this name in testdata.
func Compare(t testing.TB, name, text string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if text != string(want) {
		t.Errorf("%s, got:\n%s\nwant:\n%s", file, text, want)
	}
}

// Updating says whether files are to be written and not compared with.
func Updating() bool { return *update }
