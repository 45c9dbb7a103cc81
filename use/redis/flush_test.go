package redis_test

import (
	"slices"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/internal/test/redistest"
	"github.com/bunnicula-go/bunnicula/use"
	"github.com/bunnicula-go/bunnicula/use/redis"
)

// After a flush Redis gives moments for which others still wait.
func TestAfterAFlushTheLimitIsAtMostDoubled(t *testing.T) {
	amqptest.Long(t)
	server := redistest.Start(t)
	limiter, err := redis.New(server.Client(t), redis.Config{Limit: use.Limit{Events: rate}})
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	var moments []time.Duration
	take := func() {
		for i := range 2 * rate { // in two seconds
			s, err := limiter.Moment(t.Context(), use.Ask{ID: id(i), Near: time.Second, First: 5 * time.Second})
			if err != nil || !s.Given {
				t.Fatalf("the answer is %+v, %v", s, err)
			}
			moments = append(moments, time.Since(began)+s.Wait)
		}
	}
	take()
	server.Flush()
	take()
	slices.Sort(moments)
	n := most(moments, time.Second)
	if n <= rate+1 || n > 2*(rate+1) {
		t.Errorf("%d moments are within a second, want up to %d", n, 2*(rate+1))
	}
}
