package sending

import "errors"

// Output is what options ask of the emit of a pipeline's stage. Emit reads it, and takes it out of
// the Draft.
type Output struct {
	Key   string // of pipeline.Key
	IsKey bool   // the option was there; the Key may be empty

	Next    any  // the payload of a continuation
	IsAgain bool // it is a continuation
}

// elsewhere refuses an option of package pipeline in a message that no stage emits.
func (o *Output) elsewhere() error {
	if o == nil {
		return nil
	}
	return errors.New("pipeline.Key is for the emit of a stage, not for a Publisher or an outbox")
}

// Asked returns what options set, before anything is built of them.
func Asked[Option ~func(*Draft) error](opts []Option) (Draft, error) {
	var d Draft
	err := apply(&d, opts)
	return d, err
}
