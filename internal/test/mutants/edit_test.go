package mutants

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
)

// edit replaces a piece of a function.
type edit struct {
	// in is the package's folder, the receiver's type if there is one, and the function, with dots
	// between them: consumer.Consumer.settle. It may also be a struct type: consumer.Consumer.
	in string

	// old is an expression, or statements in a row, that must stand there once. It is compared as
	// syntax. Empty is all that is between the braces.
	old string

	// new is what stands there instead. $old in it is what was replaced.
	new string
}

// apply edits a file of the module in root, in the form that it has in edited if it is there, and
// puts it there.
func (e edit) apply(root string, edited map[string]string) error {
	p, err := find(root, e.in, edited)
	if err != nil {
		return err
	}
	from, to := p.body.Pos()+1, p.body.End()-1
	if e.old != "" {
		pattern, err := parsePattern(e.old)
		if err != nil {
			return fmt.Errorf("%s: the edit's old is no Go: %w\n%s", e.in, err, e.old)
		}
		spans := pattern.spans(p.body)
		if len(spans) != 1 {
			return fmt.Errorf("%s (%s): what is to be replaced stands there %d times, want once:\n\t%s\nit is now:\n%s",
				e.in, p.file, len(spans), e.old, p.source())
		}
		from, to = spans[0].from, spans[0].to
	}
	at, end := p.offset(from), p.offset(to)
	text := p.text[:at] + strings.ReplaceAll(e.new, "$old", p.text[at:end]) + p.text[end:]
	if _, err := parser.ParseFile(token.NewFileSet(), p.file, text, parser.SkipObjectResolution); err != nil {
		return fmt.Errorf("%s: the edit leaves what is no Go: %w", e.in, err)
	}
	edited[filepath.ToSlash(p.file)] = text
	return nil
}

// pattern is what an edit looks for: an expression, or statements that stand in a row.
type pattern struct {
	expr  ast.Expr
	stmts []ast.Stmt
}

func parsePattern(text string) (pattern, error) {
	if expr, err := parser.ParseExprFrom(token.NewFileSet(), "old", text, parser.SkipObjectResolution); err == nil {
		return pattern{expr: expr}, nil
	}
	file, err := parser.ParseFile(token.NewFileSet(), "old", "package p; func _() {\n"+text+"\n}", parser.SkipObjectResolution)
	if err != nil {
		return pattern{}, err
	}
	return pattern{stmts: file.Decls[0].(*ast.FuncDecl).Body.List}, nil
}

// span is a piece of a file.
type span struct{ from, to token.Pos }

// spans are the places below n where the pattern stands.
func (p pattern) spans(n ast.Node) []span {
	var found []span
	ast.Inspect(n, func(n ast.Node) bool {
		switch n := n.(type) {
		case ast.Expr:
			if p.expr != nil && equal(p.expr, n) {
				found = append(found, span{n.Pos(), n.End()})
			}
		case *ast.BlockStmt:
			found = append(found, p.inList(n.List)...)
		case *ast.CaseClause:
			found = append(found, p.inList(n.Body)...)
		case *ast.CommClause:
			found = append(found, p.inList(n.Body)...)
		}
		return true
	})
	return found
}

func (p pattern) inList(list []ast.Stmt) []span {
	var found []span
	n := len(p.stmts)
	for i := 0; n > 0 && i+n <= len(list); i++ {
		if equal(p.stmts, list[i:i+n]) {
			found = append(found, span{list[i].Pos(), list[i+n-1].End()})
		}
	}
	return found
}
