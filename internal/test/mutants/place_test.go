package mutants

import (
	"fmt"
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// place is a function's body, or a struct's fields.
type place struct {
	name string // as edit.in has it
	file string // relative to the module's root
	text string // of the file
	fset *token.FileSet
	node ast.Node // the whole declaration
	body ast.Node // from brace to brace
}

func (p place) offset(pos token.Pos) int { return p.fset.Position(pos).Offset }

func (p place) source() string { return p.text[p.offset(p.node.Pos()):p.offset(p.node.End())] }

// find looks in the files of a package for the function or type of that name.
func find(root, name string, edited map[string]string) (place, error) {
	folder, declared := split(name)
	all, err := placesIn(root, folder, edited)
	if err != nil {
		return place{}, fmt.Errorf("%s: %w", name, err)
	}
	var found []place
	for _, p := range all {
		if p.name == name {
			found = append(found, p)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return place{}, fmt.Errorf("%s: there is no %s in %s%s", name, declared, folder, elsewhere(root, declared))
	}
	return place{}, fmt.Errorf("%s: it is in %s and in %s", name, found[0].file, found[1].file)
}

// split returns the folder of a.b/c.Type.Method, which is a.b/c, and what is declared there.
func split(name string) (folder, declared string) {
	base := path.Base(name)
	first, declared, _ := strings.Cut(base, ".")
	return path.Join(path.Dir(name), first), declared
}

// placesIn are all functions and structs of one folder, tests aside.
func placesIn(root, folder string, edited map[string]string) ([]place, error) {
	entries, err := os.ReadDir(filepath.Join(root, folder))
	if err != nil {
		return nil, err
	}
	var all []place
	for _, entry := range entries {
		file := path.Join(folder, entry.Name())
		if !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			continue
		}
		if ok, err := build.Default.MatchFile(filepath.Join(root, folder), entry.Name()); err != nil || !ok {
			continue // not compiled here
		}
		text, ok := edited[file]
		if !ok {
			bytes, err := os.ReadFile(filepath.Join(root, file))
			if err != nil {
				return nil, err
			}
			text = string(bytes)
		}
		places, err := placesOf(file, text)
		if err != nil {
			return nil, err
		}
		all = append(all, places...)
	}
	return all, nil
}

func placesOf(file, text string) ([]place, error) {
	fset := token.NewFileSet()
	parsed, err := parser.ParseFile(fset, file, text, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	var all []place
	add := func(name string, node, body ast.Node) {
		all = append(all, place{path.Dir(file) + "." + name, file, text, fset, node, body})
	}
	for _, decl := range parsed.Decls {
		switch d := decl.(type) {
		case *ast.FuncDecl:
			if d.Body == nil {
				continue
			}
			name := d.Name.Name
			if d.Recv != nil {
				name = receiver(d.Recv.List[0].Type) + "." + name
			}
			add(name, d, d.Body)
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				if t, ok := spec.(*ast.TypeSpec); ok {
					if s, ok := t.Type.(*ast.StructType); ok {
						add(t.Name.Name, t, s.Fields)
					}
				}
			}
		}
	}
	return all, nil
}

// receiver is the name of a method's type, without pointer and type parameters.
func receiver(expr ast.Expr) string {
	switch e := expr.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.StarExpr:
		return receiver(e.X)
	case *ast.IndexExpr:
		return receiver(e.X)
	case *ast.IndexListExpr:
		return receiver(e.X)
	}
	return ""
}

// elsewhere says where in the module there is something whose last word is the same: it may have
// moved.
func elsewhere(root, declared string) string {
	last := declared[strings.LastIndex(declared, ".")+1:]
	var found []string
	_ = filepath.WalkDir(root, func(dir string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.IsDir() {
			return err
		}
		if name := entry.Name(); dir != root && (strings.HasPrefix(name, ".") || name == "testdata") {
			return fs.SkipDir
		}
		folder, err := filepath.Rel(root, dir)
		if err != nil {
			return err
		}
		all, err := placesIn(root, filepath.ToSlash(folder), nil)
		for _, p := range all {
			if strings.HasSuffix(p.name, "."+last) {
				found = append(found, "\n\t"+p.name+" ("+p.file+")")
			}
		}
		return err
	})
	if len(found) == 0 {
		return ", and nothing else in the module is named " + last
	}
	return "; named " + last + " are:" + strings.Join(found, "")
}
