package use_test

import (
	"context"
	"errors"
	"time"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/topology"
	"github.com/bunnicula-go/bunnicula/use"
)

// Payments is what the package's documentation begins with.
func Payments(api API, tenants use.Limiter) consumer.Spec {
	return consumer.Spec{
		Queue: "payments", Concurrency: 50, Delays: topology.Ladder,
		Use: []consumer.Middleware{ // the first is outermost
			use.MaxAge(24 * time.Hour),
			use.Breaker{Failures: 10, Rest: 10 * time.Second}.New(),
			use.RatePerKey(tenants, func(d consumer.Delivery) string { return d.AppID }),
			use.TreatAsAck(func(err error) bool { return errors.Is(err, ErrPaidAlready) }),
		},
		Handler: consumer.JSON(api.Charge),
	}
}

type API struct{}

type Payment struct{ ID string }

var ErrPaidAlready = errors.New("paid already")

func (API) Charge(context.Context, consumer.Message[Payment]) consumer.Result {
	return consumer.Error(ErrPaidAlready)
}
