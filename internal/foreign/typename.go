package foreign

import (
	"cmp"
	"errors"
	"reflect"
)

// TypeName returns the type of the innermost error of a chain, leaving out those of errors.New,
// fmt.Errorf and errors.Join, which say nothing. It is "" for nil. If an Unwrap method panics, as
// that of a typed nil may, the chain ends there.
func TypeName(err error) (name string) {
	if err == nil {
		return ""
	}
	defer func() {
		_ = recover()
		name = cmp.Or(name, "error")
	}()
	for e, depth := Original(err), 0; e != nil && depth < 100; depth++ { // a longer chain is a circle
		t := reflect.TypeOf(e).String()
		switch t {
		case "*errors.errorString", "*fmt.wrapError", "*fmt.wrapErrors", "*errors.joinError", "consumer.permanentError", "consumer.afterError":
		default:
			name = t
		}
		if joined, ok := e.(interface{ Unwrap() []error }); ok {
			if all := joined.Unwrap(); len(all) > 0 {
				e = all[len(all)-1]
				continue
			}
		}
		e = errors.Unwrap(e)
	}
	return name
}
