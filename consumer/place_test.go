package consumer

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/bunnicula-go/bunnicula/internal/sending"
	"github.com/bunnicula-go/bunnicula/internal/transport"
)

// Whatever may pass must not park a message.
func TestOnlyWhatIsInTheMessageIsRefusedForGood(t *testing.T) {
	refused := func(code int, text string) error { return &sending.RefusedError{Code: code, Text: text} }
	for _, row := range []struct {
		err  error
		want trouble
	}{
		{refused(406, "PRECONDITION_FAILED - message size 200000 larger than configured max size 100000"), forGood},    // 3.10
		{refused(406, "PRECONDITION_FAILED - message size 200000 is larger than configured max size 100000"), forGood}, // 4.3
		{refused(406, "PRECONDITION_FAILED - fast reply consumer does not exist"), forGood},
		{refused(311, "CONTENT_TOO_LARGE"), forGood},
		{refused(501, "FRAME_ERROR - frame too large"), forGood},
		{refused(502, "SYNTAX_ERROR"), forGood},
		{fmt.Errorf("%w: headers and properties are 5000 bytes, at most 4074 fit", sending.ErrTooLarge), forGood},
		{fmt.Errorf("send: %w", refused(406, "PRECONDITION_FAILED - message size 2 larger than 1")), forGood},
		{refused(406, "PRECONDITION_FAILED - user_id property set to 'a' but authenticated user was 'b'"), passing},
		{refused(403, "ACCESS_REFUSED - write access to exchange 'amq.default' in vhost '/' refused for user 'x'"), passing},
		{refused(404, "NOT_FOUND - no exchange 'orders-retry' in vhost '/'"), gone},
		{refused(541, "INTERNAL_ERROR"), passing},
		{sending.ErrUnroutable, gone},
		{sending.ErrNacked, passing},
		{sending.ErrUnconfirmed, passing},
		{sending.ErrClosed, passing},
		{&transport.RefusedError{What: "user"}, passing},
		{context.DeadlineExceeded, passing},
		{errors.New("anything else"), passing},
	} {
		if got := troubleOf(row.err); got != row.want {
			t.Errorf("%v: %d, want %d", row.err, got, row.want)
		}
	}
}
