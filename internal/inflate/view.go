package inflate

import (
	"fmt"

	"github.com/bunnicula-go/bunnicula/internal/foreign"
)

// ViewMost is how many bytes View inflates at most, the default of package codec.
const ViewMost = 16 << 20

// PrintMost is how many bytes of an inflated body stand in JSON and in export files at most. Many
// small messages may make large ones, and control characters are six times as long in JSON.
const PrintMost = 1 << 20

// View returns a body as people want to see it: inflated if its content encoding is gzip. encoded
// says whether the content encoding stands for other bytes at all. With an error, which says why
// the body cannot be inflated to at most so many bytes, it returns the body as it is.
func View(body []byte, contentEncoding string, most int) (seen []byte, encoded bool, err error) {
	e := Parse(contentEncoding)
	switch {
	case e.Unknown != "":
		return body, true, fmt.Errorf("the content encoding %s is unknown here", foreign.Word(e.Unknown))
	case e.Gzip == 0:
		return body, false, nil
	}
	plain, err := Gunzip(body, e.Gzip, most)
	if err != nil {
		return body, true, err
	}
	return plain, true, nil
}

// PlainError is the error of a codec about a body whose encoding was undone, so that nobody blames
// the encoding for it. Its text is that of Err.
type PlainError struct {
	Err  error
	Body []byte // with the encoding undone
	Rest string // the content encoding that remains
}

func (e *PlainError) Error() string { return e.Err.Error() }
func (e *PlainError) Unwrap() error { return e.Err }
