package mutants

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// module writes files into a folder, by their paths there.
func module(t *testing.T, files map[string]string) (root string) {
	t.Helper()
	root = t.TempDir()
	for file, text := range files {
		path := filepath.Join(root, file)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

const engine1 = `package engine

import "errors"

type pool[T any] struct {
	room int // for how many
}

func (p *pool[T]) take(n int) error {
	if p.room < n || n == 0 { // full
		return errors.New("full")
	}
	p.room -= n
	switch {
	case n > 1:
		p.note(n,
			"many",
		)
	}
	return nil
}

func (p *pool[T]) note(n int, what string) { p.room++ }

func take(n int) {}
`

const inARow = `p.room -= n
	switch {
	case n > 1:
		p.note(n,
			"many",
		)
	}`

func TestAnEditIsFoundBySyntaxInTheFunctionThatItNames(t *testing.T) {
	root := module(t, map[string]string{
		"a/engine/pool.go":      engine1,
		"a/engine/pool_test.go": "package engine\n\nfunc take(n int) { panic(n) }\n",
	})
	for _, tt := range []struct {
		name       string
		e          edit
		was, isNow string
	}{
		{"an expression", edit{"a/engine.pool.take", `p.room<n||n==0`, `false`}, "p.room < n || n == 0", "false"},
		{"a part of an expression", edit{"a/engine.pool.take", `n == 0`, `n < 0`}, "n == 0", "n < 0"},
		{"a statement", edit{"a/engine.pool.take", `p.room -= n`, ``}, "p.room -= n", ""},
		{
			"over line breaks and comments",
			edit{"a/engine.pool.take", `if p.room < n || n == 0 { return errors.New("full") }`, ``},
			"if p.room < n || n == 0 { // full\n\t\treturn errors.New(\"full\")\n\t}", "",
		},
		{
			"statements in a row, and what was there",
			edit{"a/engine.pool.take", "p.room -= n\nswitch {\ncase n > 1: p.note(n, \"many\")\n}", "defer func() {\n$old\n}()"},
			inARow, "defer func() {\n" + inARow + "\n}()",
		},
		{"a statement in a case", edit{"a/engine.pool.take", `p.note(n, "many")`, `p.room++`}, "p.note(n,\n\t\t\t\"many\",\n\t\t)", "p.room++"},
		{"a whole body", edit{"a/engine.pool.note", "", "$old; p.room++"}, "{ p.room++ }", "{ p.room++ ; p.room++}"},
		{"a function beside a method of that name", edit{"a/engine.take", "", "panic(n)"}, "{}", "{panic(n)}"},
		{"a field more", edit{"a/engine.pool", "", "$old\tlost int\n"}, "// for how many\n", "// for how many\n\tlost int\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			edited := map[string]string{}
			if err := tt.e.apply(root, edited); err != nil {
				t.Fatal(err)
			}
			if got, want := edited["a/engine/pool.go"], strings.Replace(engine1, tt.was, tt.isNow, 1); got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

func TestLaterEditsOfAMutantSeeTheEarlierOnes(t *testing.T) {
	root := module(t, map[string]string{"engine/pool.go": engine1})
	edited := map[string]string{}
	for _, e := range []edit{
		{"engine.pool.note", `p.room++`, `p.room += n`},
		{"engine.pool.note", `p.room += n`, `p.room += 2 * n`},
		{"engine.pool.take", `return nil`, `return errors.ErrUnsupported`},
	} {
		if err := e.apply(root, edited); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []string{"p.room += 2 * n", "return errors.ErrUnsupported"} {
		if !strings.Contains(edited["engine/pool.go"], want) {
			t.Errorf("there is no %s in\n%s", want, edited["engine/pool.go"])
		}
	}
}

func TestAnEditThatDoesNotApplySaysWhatThereIs(t *testing.T) {
	root := module(t, map[string]string{
		"engine/pool.go":  engine1,
		"engine/lane.go":  "package engine\n\nfunc twice() {}\n",
		"engine/again.go": "package engine\n\nfunc twice() {}\n",
	})
	for _, tt := range []struct {
		name string
		e    edit
		want []string
	}{
		{"a function that has moved", edit{"engine.lane.take", "x", "y"}, []string{"no lane.take in engine", "engine.pool.take (engine/pool.go)", "engine.take"}},
		{"a function that is gone", edit{"engine.pool.give", "x", "y"}, []string{"no pool.give in engine", "nothing else in the module is named give"}},
		{"a folder that is gone", edit{"motor.pool.take", "x", "y"}, []string{"motor.pool.take", "no such file"}},
		{"two of the name", edit{"engine.twice", "x", "y"}, []string{"engine.twice", "again.go", "lane.go"}},
		{"not there", edit{"engine.pool.note", "p.room--", ""}, []string{"engine.pool.note (engine/pool.go)", "0 times", "p.room--", `{ p.room++ }`}},
		{"there twice", edit{"engine.pool.take", "p.room", "0"}, []string{"2 times"}},
		{"a pattern that is no Go", edit{"engine.pool.note", "p.room +", ""}, []string{"old is no Go"}},
		{"a result that is no Go", edit{"engine.pool.note", "p.room++", "if"}, []string{"leaves what is no Go"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.e.apply(root, map[string]string{})
			if err == nil {
				t.Fatal("it applies")
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the error does not say %q:\n%v", want, err)
				}
			}
		})
	}
}
