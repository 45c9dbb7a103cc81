package mutants

import (
	"fmt"
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

// by is a test that must fail.
type by struct {
	pkg, test string
	args      []string
}

// sources are the files that the mutant edits, by their path in the module.
func (m mutant) sources(t *testing.T) map[string]string {
	t.Helper()
	edited := map[string]string{}
	for _, e := range m.edits {
		if err := e.apply(root, edited); err != nil {
			t.Fatal(err)
		}
	}
	return edited
}

// partOf returns what stands in a part of a table, such as 2/3, the second of three. Neighbours,
// which break similar promises, are in different parts.
func partOf[T any](table []T, part string) ([]T, error) {
	var which, parts int
	if n, err := fmt.Sscanf(part+"\n", "%d/%d\n", &which, &parts); n != 2 || err != nil || which < 1 || which > parts {
		return nil, fmt.Errorf("%q is no part, such as 2/3", part)
	}
	var some []T
	for i := which - 1; i < len(table); i += parts {
		some = append(some, table[i])
	}
	return some, nil
}

func TestThePartsAreTheWholeTable(t *testing.T) {
	seen := map[int]int{}
	for _, part := range []string{"1/3", "2/3", "3/3"} {
		some, err := partOf([]int{0, 1, 2, 3, 4, 5, 6, 7}, part)
		if err != nil || len(some) < 2 || len(some) > 3 {
			t.Errorf("part %s: %d, %v", part, some, err)
		}
		for _, i := range some {
			seen[i]++
		}
	}
	for i := range 8 {
		if seen[i] != 1 {
			t.Errorf("%d is in %d parts, want 1", i, seen[i])
		}
	}
	for _, part := range []string{"", "1", "0/3", "4/3", "-1/3", "1/0", "1/3x", "a/b"} {
		if some, err := partOf(mutants, part); err == nil {
			t.Errorf("part %q: %d mutants, want an error", part, len(some))
		}
	}
}

func TestTheEditsApply(t *testing.T) {
	for _, m := range mutants {
		t.Run(m.name, func(t *testing.T) { m.sources(t) })
	}
}
