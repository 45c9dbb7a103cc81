package console

import (
	"errors"

	"github.com/bunnicula-go/bunnicula/console/internal/snapshot"
	"github.com/bunnicula-go/bunnicula/errorqueue"
)

var errNotReader = errors.New("header. and body. terms tell what messages have, which you may not read")

// mayFilter says what is wrong with a filter for this viewer: how many messages have a value tells
// the value, to who guesses.
func (a *answer) mayFilter(f errorqueue.Filter, queue string) error {
	if len(f.Headers)+len(f.Body) > 0 && !a.user.may(Read, queue) {
		return errNotReader
	}
	return nil
}

// shown returns a row as the viewer may see it: the id is the message's own.
func (a *answer) shown(r snapshot.Row, queue string) snapshot.Row {
	if !a.user.may(Read, queue) {
		r.ID = ""
	}
	return r
}
