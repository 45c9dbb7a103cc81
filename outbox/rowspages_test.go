package outbox

import (
	"fmt"
	"testing"
)

func TestAPageHasSomeRowsAndSomeBytes(t *testing.T) {
	all := func(n int, size int64) (found []surveyed) {
		for i := range n {
			found = append(found, surveyed{fmt.Sprint(i), size})
		}
		return found
	}
	for name, test := range map[string]struct {
		rows []surveyed
		want string
	}{
		"none":         {nil, "[]"},
		"small":        {all(1001, 0), "[500 500 1]"},
		"one is large": {append(all(2, pageBytes+1), all(3, 1)...), "[1 1 3]"},
		"just so":      {all(3, pageBytes/2), "[2 1]"},
	} {
		sizes := []int{}
		for _, p := range pages(test.rows) {
			sizes = append(sizes, len(p))
		}
		if got := fmt.Sprint(sizes); got != test.want {
			t.Errorf("%s: pages of %s rows, want %s", name, got, test.want)
		}
	}
}
