package link

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/transport"
)

func TestALimitOfChannelsIsRememberedForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var a allowance
		limit := &amqp.Error{Code: amqp.NotAllowed, Server: true, Reason: "NOT_ALLOWED - number of channels opened for user 'lim' has reached the maximum allowed user limit of (2)"}
		other := &amqp.Error{Code: amqp.NotAllowed, Server: true, Reason: "NOT_ALLOWED - vhost 'x' is down"}
		if err := a.check(1000); err != nil {
			t.Errorf("without a limit: %v", err)
		}
		if err := a.learn(7, other); !errors.Is(err, other) || errors.Is(err, transport.ErrNoChannel) || a.check(1000) != nil {
			t.Errorf("another refusal is taken for the limit: %v", err)
		}
		for _, forgotten := range []time.Duration{30 * time.Second, time.Minute, 2 * time.Minute} {
			if err := a.learn(7, limit); !errors.Is(err, transport.ErrNoChannel) || !errors.Is(err, limit) {
				t.Errorf("%v, want that it is the limit", err)
			}
			if a.check(6) != nil || !errors.Is(a.check(7), transport.ErrNoChannel) {
				t.Errorf("6: %v, 7: %v", a.check(6), a.check(7))
			}
			time.Sleep(forgotten - time.Millisecond)
			if a.check(7) == nil {
				t.Errorf("the limit is forgotten before %s", forgotten)
			}
			time.Sleep(time.Millisecond)
			if err := a.check(7); err != nil {
				t.Errorf("after %s: %v", forgotten, err)
			}
		}
	})
}

func TestALimitOfConnectionsIsNoPermanentRefusal(t *testing.T) {
	at := Target{Addr: "h:5672", Username: "u", VHost: "v"}
	for reason, permanent := range map[string]bool{
		"NOT_ALLOWED - access to vhost 'v' refused for user 'u': connection limit (1) is reached": false,
		"NOT_ALLOWED - connection refused for user 'u': user connection limit (1) is reached":     false,
		"NOT_ALLOWED - access to vhost 'v' refused for user 'u'":                                  true,
		"NOT_ALLOWED - vhost v not found":                                                         true,
	} {
		refused := &amqp.Error{Code: amqp.NotAllowed, Server: true, Reason: reason}
		err := dialError(t.Context(), at, refused, nil)
		if transport.Permanent(err) != permanent || !errors.Is(err, refused) {
			t.Errorf("%v: permanent is %v", err, !permanent)
		}
	}
}
