package mutants

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const root = "../../.."

// mutant is one broken promise.
type mutant struct {
	name   string
	breaks string // what is wrong with it
	edits  []edit
	caught []by
}

// edit replaces old, which must be there once, by new.
type edit struct{ file, old, new string }

// by is a test that must fail.
type by struct {
	pkg, test string
	args      []string
}

// source is an edited file.
func (e edit) source(t *testing.T, before string) string {
	t.Helper()
	if n := strings.Count(before, e.old); n != 1 {
		t.Fatalf("%s has the text %d times that is to be replaced, want once:\n%s", e.file, n, e.old)
	}
	return strings.Replace(before, e.old, e.new, 1)
}

// sources are the files that the mutant edits, by their path in the module.
func (m mutant) sources(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, e := range m.edits {
		before, ok := all[e.file]
		if !ok {
			text, err := os.ReadFile(filepath.Join(root, e.file))
			if err != nil {
				t.Fatal(err)
			}
			before = string(text)
		}
		all[e.file] = e.source(t, before)
	}
	return all
}

func TestTheEditsApply(t *testing.T) {
	for _, m := range mutants {
		t.Run(m.name, func(t *testing.T) { m.sources(t) })
	}
}
