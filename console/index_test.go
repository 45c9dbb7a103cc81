package console

import (
	"strings"
	"testing"
	"testing/synctest"
)

func TestAWrongIndexKeyIsSaid(t *testing.T) {
	many := make([]string, mostKeys+1)
	for i := range many {
		many[i] = "header.a"
	}
	for want, keys := range map[string][]string{
		`console: IndexKeys: a term is "reason=x", want header.NAME or body.PATH, without a value`: {"header.a", "reason=x"},
		"console: IndexKeys are 21, want 20 at most":                                               many,
	} {
		if _, err := New(Config{Connection: away(t), IndexKeys: keys}); err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

func TestAFilterWithAnIndexKeyIsAList(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := oneOf("id-1", "boom"), oneOf("id-2", "boom")
		a.Headers = map[string]any{"tenant": int32(7)}
		c := made(t, Config{IndexKeys: []string{"header.tenant"}}, a, b)
		page := read(t, c, "/q/orders-error?filter=header.tenant%3D7")
		if !strings.Contains(page, "1 to 1 of <b>1</b>") || !strings.Contains(page, "id-1") {
			t.Errorf("the page is:\n%s", page)
		}
		if page := read(t, c, "/q/orders-error?filter=header.other"); !strings.Contains(page, "unless IndexKeys names them") {
			t.Errorf("the page is:\n%s", page)
		}
	})
}
