package consumer

import (
	"context"
	"errors"
	"reflect"
)

// Invalid makes a Handler that stands for an error: New refuses it with err. It is for a function
// that makes a Handler of settings and returns no error, when one of these settings is wrong.
//
// New does not see it inside another Handler. So a function that wraps a Handler calls Check first,
// and returns Invalid of what that says. If the Handler runs all the same, it retries each message
// with err. If err is nil, the error is "it is invalid".
func Invalid(err error) Handler {
	if err == nil {
		err = errors.New("it is invalid")
	}
	return invalid{err}.handle
}

type invalid struct{ err error }

func (i invalid) handle(context.Context, Delivery) Result { return Retry(i.err) }

// codeOfInvalid is where the code of all Handlers stands that Invalid makes. A func can hold no
// other mark.
var codeOfInvalid = codeOf(invalid{}.handle)

func codeOf(h Handler) uintptr { return reflect.ValueOf(h).Pointer() }

// Check returns the error with which New refuses a Handler that is nil or that Invalid has made. It
// returns nil for any other one, and does not run it.
func (h Handler) Check() error {
	switch {
	case h == nil:
		return errors.New("it is nil")
	case codeOf(h) == codeOfInvalid:
		return h(context.Background(), Delivery{}).Err()
	}
	return nil
}
