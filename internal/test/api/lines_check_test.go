package api

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"slices"
	"strings"
	"testing"
)

func TestEachExportedDeclarationIsALine(t *testing.T) {
	const source = `package p

const Never = -1

var Default Config

type Config struct {
	Name string ` + "`json:\"name\"`" + `
	room int
	shared
}

type shared struct{ Size int }

func (shared) Grow() {}

func (c *Config) Check() error { return nil }
func (c Config) String() string { return c.Name }
func (c Config) hidden() {}

type Doer interface {
	Do(n int) error
	secret()
}

type Handler func(c Config) (n int)

type Box[T any] struct{ Item T }

func (b *Box[T]) Get() T { return b.Item }

type Other = Config

func New(c Config, more ...int) *Config { return &c }

func hidden() {}
`
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, "p.go", source, 0)
	if err != nil {
		t.Fatal(err)
	}
	pkg, err := new(types.Config).Check("p", fset, []*ast.File{file}, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"const Never untyped int = -1",
		"func New(c Config, more ...int) *Config",
		"method (*Box) Get() T",
		"method (*Config) Check() error",
		"method (Config) Grow()",
		"method (Config) String() string",
		"type Box struct, Item T",
		"type Box[T any] struct",
		"type Config struct",
		"type Config struct, Name string json:\"name\"",
		"type Config struct, Size int",
		"type Doer interface",
		"type Doer interface, Do(n int) error",
		"type Doer interface, a method that is not exported",
		"type Handler func(c Config) (n int)",
		"type Other = Config",
		"var Default Config",
	}
	if got := lines(pkg); !slices.Equal(got, want) {
		t.Errorf("got, beside what is wanted:\n%s", difference(strings.Join(want, "\n"), strings.Join(got, "\n")))
	}
}
