package sending

import (
	"errors"
	"fmt"
)

// What sending a message can end with. Package publisher says what each means for its callers.
var (
	ErrUnroutable  = errors.New("no queue is bound for the routing key")
	ErrNacked      = errors.New("the broker did not take the message")
	ErrUnconfirmed = errors.New("sent, but not confirmed in time; the broker may have it")
	ErrTooLarge    = errors.New("too large")
	ErrNotSent     = errors.New("not sent, because another message of the batch cannot be")
	ErrClosed      = errors.New("publisher is stopped")
	ErrFull        = errors.New("not sent, the window is full") // only of Post
)

// TooLargeError is the ErrTooLarge of headers and properties.
type TooLargeError struct {
	Size  int // of the headers and properties, in bytes
	Limit int // how many bytes fit
	Frame int // the frame_max that was negotiated, if it is what limits
}

func (e *TooLargeError) Error() string {
	if e.Frame > 0 {
		return fmt.Sprintf("%v: headers and properties are %d bytes, at most %d fit a frame of this broker (frame_max = %d)", ErrTooLarge, e.Size, e.Limit, e.Frame)
	}
	return fmt.Sprintf("%v: headers and properties are %d bytes, at most %d fit", ErrTooLarge, e.Size, e.Limit)
}

// Is makes it an ErrTooLarge.
func (e *TooLargeError) Is(target error) bool { return target == ErrTooLarge }

// RefusedError says that the broker closed the channel or the connection because of
// this message: an exchange that does not exist (404), no permission (403), a property that
// it does not accept (406), a frame that it cannot read (501, 502).
type RefusedError struct {
	Code int
	Text string // the broker's
}

func (e *RefusedError) Error() string {
	return fmt.Sprintf("refused by the broker: %d %s", e.Code, e.Text)
}
