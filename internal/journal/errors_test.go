package journal

import (
	"errors"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
)

func TestAStreamThatIsNotStartedYetIsReadAgain(t *testing.T) {
	for reason, c := range map[string]struct {
		code  int
		final bool
	}{
		"PRECONDITION_FAILED - stream queue 's' in vhost '/' does not have a running replica on the local node":   {406, false},
		"NOT_FOUND - home node 'n' of durable queue 's' in vhost '/' is down or inaccessible":                     {404, false},
		"NOT_FOUND - no queue 's' in vhost '/'":                                                                   {404, true},
		"PRECONDITION_FAILED - invalid arg 'x-stream-offset' for queue 's' in vhost '/' of queue type 'rabbit_q'": {406, true},
		"ACCESS_REFUSED - read access to queue 's' in vhost '/' refused for user 'u'":                             {403, true},
	} {
		err := whyNotRead("s", &amqp.Error{Code: c.code, Reason: reason, Server: true})
		if (err != nil) != c.final {
			t.Errorf("%s: %v", reason, err)
		}
		if gone := errors.Is(err, ErrGone); gone != (reason == "NOT_FOUND - no queue 's' in vhost '/'") {
			t.Errorf("%s: gone is %t", reason, gone)
		}
	}
}
