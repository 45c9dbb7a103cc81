package arrows

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"testing"
)

// toDefault are the functions of log/slog that write to slog.Default, or return it.
var toDefault = []string{
	"Default", "Debug", "DebugContext", "Info", "InfoContext", "Warn", "WarnContext",
	"Error", "ErrorContext", "Log", "LogAttrs", "With",
}

// An app gives its logger to one part of ours and expects that all use it. So only internal/applog
// falls back to slog.Default.
func TestOnlyOnePackageKnowsTheDefaultLogger(t *testing.T) {
	found := 0
	for _, s := range sources(t) {
		pkg := s.dir()
		if s.isTest() || under(pkg, workshop) || under(pkg, examples) || under(pkg, benchmark) || !slices.Contains(s.imports, "log/slog") {
			continue
		}
		files := token.NewFileSet()
		parsed, err := parser.ParseFile(files, filepath.Join(root, s.file), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			selector, ok := n.(*ast.SelectorExpr)
			if !ok || !slices.Contains(toDefault, selector.Sel.Name) {
				return true
			}
			if of, ok := selector.X.(*ast.Ident); ok && of.Name == "slog" {
				if pkg == "internal/applog" {
					found++
				} else {
					t.Errorf("%s:%d: slog.%s: take the logger from internal/applog", s.file, files.Position(n.Pos()).Line, selector.Sel.Name)
				}
			}
			return true
		})
	}
	if found != 1 {
		t.Errorf("internal/applog falls back to slog.Default in %d places, want 1", found)
	}
}
