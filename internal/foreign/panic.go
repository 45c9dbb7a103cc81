package foreign

import (
	"fmt"
	"reflect"
)

// Panic returns the text of a value that a function has panicked with.
func Panic(p any) string {
	if err, ok := p.(error); ok {
		return Text(err, MaxText)
	}
	v := reflect.ValueOf(p)
	if v.Kind() == reflect.Pointer { // fmt follows no other pointers
		v = v.Elem()
	}
	if left := maxParts; !isFinite(v, maxNested, &left) {
		return fmt.Sprintf("%T, which is too large or holds itself", p)
	}
	return Cut(fmt.Sprint(p), MaxText) // fmt catches the panics of a String method
}

// Bounds of a value that fmt prints. A slice or a map can hold itself, and fmt would recurse until
// the stack is full, which ends the process.
const (
	maxNested = 100
	maxParts  = 100_000
)

// isFinite returns whether fmt comes to an end when it prints a value.
func isFinite(v reflect.Value, depth int, left *int) bool {
	if *left--; depth < 0 || *left < 0 {
		return false
	}
	switch v.Kind() {
	case reflect.Interface:
		return isFinite(v.Elem(), depth-1, left)
	case reflect.Map:
		for each := v.MapRange(); each.Next(); {
			if !isFinite(each.Value(), depth-1, left) {
				return false
			}
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			if !isFinite(v.Index(i), depth-1, left) {
				return false
			}
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if !isFinite(v.Field(i), depth-1, left) {
				return false
			}
		}
	}
	return true
}
