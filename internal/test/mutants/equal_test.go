package mutants

import (
	"go/ast"
	"go/token"
	"reflect"
)

// equal compares syntax: positions and comments do not count.
func equal(a, b any) bool { return equalValues(reflect.ValueOf(a), reflect.ValueOf(b)) }

func equalValues(a, b reflect.Value) bool {
	if a.IsValid() != b.IsValid() || a.IsValid() && a.Type() != b.Type() {
		return false
	}
	switch a.Kind() {
	case reflect.Invalid:
		return true
	case reflect.Interface, reflect.Pointer:
		return equalNodes(a, b)
	case reflect.Slice:
		if a.Len() != b.Len() {
			return false
		}
		for i := range a.Len() {
			if !equalValues(a.Index(i), b.Index(i)) {
				return false
			}
		}
		return true
	case reflect.Struct:
		for i := range a.NumField() {
			if !equalValues(a.Field(i), b.Field(i)) {
				return false
			}
		}
		return true
	}
	if pos, ok := a.Interface().(token.Pos); ok {
		return pos.IsValid() == b.Interface().(token.Pos).IsValid() // that there is one can be syntax: f(x...)
	}
	return a.Interface() == b.Interface()
}

func equalNodes(a, b reflect.Value) bool {
	if _, ok := a.Interface().(*ast.CommentGroup); ok {
		return true
	}
	if a.IsNil() || b.IsNil() {
		return a.IsNil() && b.IsNil()
	}
	return equalValues(a.Elem(), b.Elem())
}
