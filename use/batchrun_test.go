package use

import (
	"context"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/consumer"
)

// A slice that the function uses again for the next batch must not be what members of the last one
// read.
func TestAFunctionMayUseItsResultsAgain(t *testing.T) {
	same := func(d *consumer.Delivery) *consumer.Delivery { return d }
	own := newBatch[consumer.Delivery](2, time.Now())
	for _, id := range []string{"a", "b"} {
		own.members = append(own.members, consumer.Delivery{MessageID: id})
		own.seats = append(own.seats, seat{ctx: t.Context(), id: id, at: len(own.seats)})
	}
	said := []consumer.Result{consumer.Ack(), consumer.Retry(nil)}
	got := answers(context.Background(), own, said, same)
	said[0], said[1] = consumer.Error(nil), consumer.Ack()
	if !got[0].Acked() || !got[1].Retried() {
		t.Errorf("the results are %v, want Ack and Retry", got)
	}
}
