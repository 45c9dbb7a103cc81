package api

import (
	"go/types"
	"slices"
	"strings"
)

// lines are the exported declarations of a package, sorted.
func lines(pkg *types.Package) []string {
	p := printer{pkg: pkg}
	for _, name := range pkg.Scope().Names() {
		if object := pkg.Scope().Lookup(name); object.Exported() {
			p.object(object)
		}
	}
	slices.Sort(p.lines)
	return p.lines
}

// printer writes types as they are read in the package: context.Context, and its own without its
// name.
type printer struct {
	pkg   *types.Package
	lines []string
}

func (p *printer) qualify(other *types.Package) string {
	if other == p.pkg {
		return ""
	}
	return other.Name()
}

func (p *printer) add(words ...string) { p.lines = append(p.lines, strings.Join(words, "")) }

func (p *printer) text(t types.Type) string { return types.TypeString(t, p.qualify) }

func (p *printer) object(object types.Object) {
	switch o := object.(type) {
	case *types.Const:
		p.add(types.ObjectString(o, p.qualify), " = ", o.Val().ExactString())
	case *types.TypeName:
		if o.IsAlias() {
			p.add("type ", o.Name(), " = ", p.text(types.Unalias(o.Type())))
		} else {
			p.named(o.Type().(*types.Named))
		}
	default:
		p.add(types.ObjectString(o, p.qualify))
	}
}

func (p *printer) named(named *types.Named) {
	head := "type " + p.text(named)
	switch u := named.Underlying().(type) {
	case *types.Struct:
		p.add(head, " struct")
		p.fields("type "+named.Obj().Name()+" struct, ", u)
	case *types.Interface:
		p.add(head, " interface")
		p.interfaceMethods("type "+named.Obj().Name()+" interface, ", u)
		return
	default:
		p.add(head, " ", p.text(u))
	}
	p.methods(named)
}

// fields are those that are exported, also through an embedded struct that is not.
func (p *printer) fields(head string, s *types.Struct) {
	for i := range s.NumFields() {
		f := s.Field(i)
		switch embedded, ok := f.Type().Underlying().(*types.Struct); {
		case f.Exported() && f.Embedded():
			p.add(head, "embedded ", p.text(f.Type()))
		case f.Exported():
			p.add(strings.TrimSpace(head + f.Name() + " " + p.text(f.Type()) + " " + s.Tag(i)))
		case f.Embedded() && ok:
			p.fields(head, embedded)
		}
	}
}

func (p *printer) interfaceMethods(head string, i *types.Interface) {
	for n := range i.NumEmbeddeds() {
		p.add(head, "embedded ", p.text(i.EmbeddedType(n)))
	}
	for n := range i.NumExplicitMethods() {
		if m := i.ExplicitMethod(n); m.Exported() {
			p.add(head, m.Name(), strings.TrimPrefix(p.text(m.Type()), "func"))
		} else {
			p.add(head, "a method that is not exported")
		}
	}
}

// methods are those of the type itself, and those that come from embedded fields which are not
// exported.
func (p *printer) methods(named *types.Named) {
	set := types.NewMethodSet(types.NewPointer(named))
	for i := range set.Len() {
		m := set.At(i)
		if !m.Obj().Exported() {
			continue
		}
		if s, ok := named.Underlying().(*types.Struct); ok && len(m.Index()) > 1 && s.Field(m.Index()[0]).Exported() {
			continue
		}
		star := "*"
		if types.NewMethodSet(named).Lookup(p.pkg, m.Obj().Name()) != nil {
			star = ""
		}
		p.add("method (", star, named.Obj().Name(), ") ", m.Obj().Name(), strings.TrimPrefix(p.text(m.Type()), "func"))
	}
}
