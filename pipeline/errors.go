package pipeline

import "errors"

// The errors of this package, for errors.Is. Each comes with a text that says which message, job or
// field it is about.
var (
	// ErrReturned: emit was called after its handler had returned. Nothing was published.
	ErrReturned = errors.New("pipeline: the handler has returned, nothing more can be emitted")

	// ErrTooDeep: the output would be deeper in its job than Config.MaxDepth, as that of a stage
	// that emits to its own queue without end. The message is parked.
	ErrTooDeep = errors.New("pipeline: the job is too deep")

	// ErrTooManyAgain: the message has as many continuations before it as Config.MaxAgain allows.
	// The message is parked.
	ErrTooManyAgain = errors.New("pipeline: too many continuations in a row")

	// ErrTooManyKeys: the message has as many outputs with a Key as one may have. The message is
	// parked.
	ErrTooManyKeys = errors.New("pipeline: too many outputs with a key")

	// ErrKey: the key of an output is empty, or an earlier output of the message has it.
	ErrKey = errors.New("pipeline: bad key of an output")

	// ErrAgain: Again was called twice by one handler, or with a start.
	ErrAgain = errors.New("pipeline: a message has one continuation at most")

	// ErrOption: an option of emit does not fit an output.
	ErrOption = errors.New("pipeline: the option does not fit an output")

	// ErrHeaders: the headers job and job-path of a message do not say where it belongs. It is
	// parked.
	ErrHeaders = errors.New("pipeline: bad headers of a job")

	// ErrJobExists: a job with this id was started before. See Resume.
	ErrJobExists = errors.New("pipeline: the job exists")

	// ErrNoJob: the stream has no record of the job. It was never started, or is older than
	// Config.MaxAge.
	ErrNoJob = errors.New("pipeline: there is no such job")

	// ErrStopped: the Pipeline was stopped.
	ErrStopped = errors.New("pipeline: it was stopped")
)

// isHopeless says whether an output fails in every run of its message.
func isHopeless(err error) bool {
	return errors.Is(err, ErrTooDeep) || errors.Is(err, ErrTooManyAgain) || errors.Is(err, ErrTooManyKeys)
}
