package pipeline

import (
	"github.com/bunnicula-go/bunnicula/internal/sending"
	"github.com/bunnicula-go/bunnicula/publisher"
)

// Key is an option of emit that makes the output's id of its message and this key, and not of how
// many outputs were emitted before it. Set it where the order of outputs may differ between two
// runs of a message, as that of rows without ORDER BY, of a map, or of several goroutines that
// emit.
//
// The key is any text that tells the outputs of one message apart, such as a row's primary key. An
// empty one, and one that the run has emitted already, is ErrKey. A message has at most 10,000
// outputs with a Key, because its report lists them: one more is ErrTooManyKeys.
func Key(key string) publisher.Option {
	return func(d *sending.Draft) error {
		d.Output = &sending.Output{Key: key, IsKey: true}
		return nil
	}
}

// continuation is the option by which Again asks for one.
func continuation(next any) publisher.Option {
	return func(d *sending.Draft) error {
		d.Output = &sending.Output{Next: next, IsAgain: true}
		return nil
	}
}

// maxKeys is how many outputs with a key a message may have.
const maxKeys = 10_000
