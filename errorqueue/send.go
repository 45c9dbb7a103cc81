package errorqueue

import (
	"context"
	"errors"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/sending"
	"github.com/bunnicula-go/bunnicula/internal/wire"
)

// The types of a publisher that this package uses.
type (
	sender   = sending.Pipeline
	envelope = sending.Envelope
)

const (
	defaultMoveWindow = 100 // messages that are published together
	maxMoveWindow     = 1000

	sendTimeout = 30 * time.Second // for a window
	grace       = 3 * time.Second  // for the window in flight when the context ends
)

// taker is what is known of the connection that takes messages.
type taker struct {
	user string // the name of its login
	fits int    // how many bytes of headers and properties fit a frame
}

// sender makes a sender with room for a window, and says who takes its messages.
func (q *Queue) sender(ctx context.Context, window int) (s *sender, t taker, err error) {
	publishing, err := q.conn.Transport().Publishing().Session(ctx)
	if err != nil {
		return nil, taker{}, err
	}
	s, err = sending.New(q.conn.Transport(), window, q.log)
	return s, taker{user: publishing.User(), fits: wire.Fits(publishing.Peer().FrameMax)}, err
}

// stop ends a sender. It does not wait for messages that were given up because the broker took
// none.
func stop(s *sender) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = s.Stop(ctx)
}

// isItsOwnFault says whether a message could not be published for a reason that may not concern
// other messages.
func isItsOwnFault(err error) bool {
	return errors.Is(err, sending.ErrUnroutable) || errors.Is(err, sending.ErrTooLarge) || errors.As(err, new(*sending.RefusedError))
}

// outlast returns a context for work that has begun. It ends a moment after ctx, or after
// sendTimeout.
func outlast(ctx context.Context) (context.Context, context.CancelFunc) {
	longer, cancel := context.WithTimeout(context.WithoutCancel(ctx), sendTimeout)
	stop := context.AfterFunc(ctx, func() {
		select {
		case <-time.After(grace):
			cancel()
		case <-longer.Done():
		}
	})
	return longer, func() { stop(); cancel() }
}
