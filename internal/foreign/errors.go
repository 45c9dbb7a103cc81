package foreign

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"unicode/utf8"
)

const (
	// MaxText is how many bytes of an error's text are kept at most.
	MaxText = 64 << 10

	// maxChain is how many errors of a chain are looked at. A longer chain is a circle.
	maxChain = 1000
)

// Text returns an error's text as [Cut] shortens it, "" for nil. If the Error method panics, as
// that of a nil pointer may, the text says so.
func Text(err error, n int) string { return Cut(textOf(err), n) }

func textOf(err error) (text string) {
	if err == nil {
		return ""
	}
	defer func() {
		if p := recover(); p != nil {
			text = fmt.Sprintf("%T: its Error method panicked", Original(err))
		}
	}()
	return err.Error()
}

// Safe returns an error that anybody may use in every way: err itself, if its methods and those of
// the errors in its chain do not panic, and their texts are UTF-8 of at most MaxText bytes each.
// Otherwise it returns an error with the text of err as far as it can be read, once. errors.Is and
// errors.As find in that what they would find in err, and do not panic or hang. It has no Unwrap
// method, so that nobody meets what is in it by chance.
func Safe(err error) error {
	if err == nil || isSound(err) {
		return err
	}
	return &strange{err: err, text: Text(err, MaxText)}
}

// Original returns the error that Safe was given, for its type.
func Original(err error) error {
	if s, ok := err.(*strange); ok { //nolint:errorlint // only the outermost was given to Safe
		return s.err
	}
	return err
}

// strange is what Safe returns for an error that is not sound. It is immutable.
type strange struct {
	err  error
	text string
}

func (s *strange) Error() string        { return s.text }
func (s *strange) Is(target error) bool { return Is(s.err, target) }
func (s *strange) As(target any) bool   { return as(s.err, target) }

// isSound returns whether Safe may return an error as it is.
func isSound(err error) (sound bool) {
	defer func() { _ = recover() }()
	left := maxChain
	return soundChain(err, &left)
}

func soundChain(err error, left *int) bool {
	if err == nil {
		return true
	}
	if *left--; *left < 0 {
		return false
	}
	if text := err.Error(); len(text) > MaxText || !utf8.ValidString(text) {
		return false
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return !slices.ContainsFunc(joined.Unwrap(), func(e error) bool { return !soundChain(e, left) })
	}
	return soundChain(errors.Unwrap(err), left)
}

// Is is errors.Is for an error that somebody else has made. Where a method of it panics, as those
// of a nil pointer do, or where == panics, it goes on as if that one had said no. A chain that is a
// circle ends.
func Is(err, target error) bool {
	if target == nil {
		return err == nil
	}
	return Walk(err, func(e error) bool {
		if reflect.TypeOf(target).Comparable() && e == target { //nolint:errorlint // Walk goes through the chain
			return true
		}
		is, ok := e.(interface{ Is(target error) bool })
		return ok && is.Is(target)
	})
}

// As is errors.As as [Is] is errors.Is.
func As[T error](err error) (found T, ok bool) {
	ok = as(err, &found)
	return found, ok
}

// as sets what target points to, as errors.As does.
func as(err error, target any) bool {
	to := reflect.ValueOf(target).Elem()
	return Walk(err, func(e error) bool {
		if reflect.TypeOf(e).AssignableTo(to.Type()) {
			to.Set(reflect.ValueOf(e))
			return true
		}
		as, ok := e.(interface{ As(target any) bool })
		return ok && as.As(target)
	})
}

// Walk calls visit with an error and all that it wraps, the outermost first, until visit returns
// true. A panic of visit or of a method counts as false. A chain that is a circle ends.
func Walk(err error, visit func(error) bool) bool {
	left := maxChain
	return walkChain(err, visit, &left)
}

func walkChain(err error, visit func(error) bool, left *int) bool {
	if *left--; err == nil || *left < 0 {
		return false
	}
	return holds(visit, err) || slices.ContainsFunc(unwrap(err), func(e error) bool { return walkChain(e, visit, left) })
}

func holds(visit func(error) bool, err error) (yes bool) {
	defer func() { _ = recover() }()
	return visit(err)
}

// unwrap returns the errors that an error wraps.
func unwrap(err error) (all []error) {
	defer func() { _ = recover() }()
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	return []error{errors.Unwrap(err)}
}
