package consumer

import (
	"errors"
	"fmt"
	"slices"
)

// startError says why consumers cannot start.
type startError struct {
	names []string // of the consumers, at least one
	err   error
}

func (e *startError) Error() string {
	who := fmt.Sprintf("consumer %q", e.names[0])
	if rest := e.names[1:]; len(rest) > 0 {
		const most = 9 // so that an app of hundreds gets a line that can be read
		who = fmt.Sprintf("consumers %q", e.names[0])
		for _, name := range rest[:min(len(rest), most)] {
			who += fmt.Sprintf(", %q", name)
		}
		if more := len(rest) - most; more > 0 {
			who += fmt.Sprintf(" and %d more", more)
		}
	}
	return who + ": start: " + e.err.Error()
}

func (e *startError) Unwrap() error { return e.err }

// together returns the errors in their order. Those of consumers that cannot start for the same
// reason are one.
func together(errs []error) (all []error) {
	byReason := map[string]*startError{}
	for _, err := range errs {
		var one *startError
		if !errors.As(err, &one) {
			all = append(all, err)
			continue
		}
		reason := one.err.Error()
		if before := byReason[reason]; before != nil {
			before.names = append(before.names, one.names...)
			continue
		}
		byReason[reason] = &startError{slices.Clone(one.names), one.err}
		all = append(all, byReason[reason])
	}
	return all
}
