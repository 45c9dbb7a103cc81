package foreign

import (
	"errors"
	"io/fs"
	"strings"
	"testing"
)

func TestAPanicHasAText(t *testing.T) {
	loop := map[string]any{}
	loop["loop"] = []any{1, loop}
	type node struct{ Next *node }
	round := &node{}
	round.Next = round
	for name, row := range map[string]struct {
		p    any
		want string
	}{
		"nil": {nil, "<nil>"}, "text": {"boom", "boom"}, "number": {7, "7"}, "error": {errors.New("cause"), "cause"},
		"nil error": {(*fs.PathError)(nil), "*fs.PathError: its Error method panicked"}, "nil pointer": {(*node)(nil), "<nil>"},
		"struct": {struct{ A, B any }{1, []string{"b"}}, "{1 [b]}"}, "pointers in a circle": {*round, "{0x"},
		"holds itself": {loop, "map[string]interface {}, which is too large or holds itself"}, "pointer to it": {&loop, "*map[string]interface {}, which is"},
		"large": {make([]any, 1<<20), "[]interface {}, which is too large"}, "long": {strings.Repeat("x", 10<<20), "xxx"},
	} {
		if got := Panic(row.p); !strings.HasPrefix(got, row.want) || len(got) > MaxText {
			t.Errorf("%s: %.80q, want %q", name, got, row.want)
		}
	}
}
