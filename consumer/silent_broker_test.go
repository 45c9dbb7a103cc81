package consumer_test

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/topology"
)

// A broker says that a quorum queue is empty when the queue does not answer it in time. Messages
// wait there all the same.
func TestAPartitionThatIsSilentForAMomentIsNotEmpty(t *testing.T) {
	t.Parallel()
	r, queue := newRig(t), partitions(t, "silent", 2)
	spec := partitioned(queue, always(consumer.Ack()))
	for _, s := range consumer.Partitioned(2, spec) {
		r.declare(s)
	}
	left := topology.PartitionQueue(queue, 1)
	r.publish(left, "waits")
	base, err := url.Parse(amqptest.URL(t))
	if err != nil {
		t.Fatal(err)
	}
	leader := func(verb string) {
		amqptest.Ctl(t, "eval", fmt.Sprintf("{ok, Q} = rabbit_amqqueue:lookup(rabbit_misc:r(<<%q>>, queue, <<%q>>)), {Name, _} = amqqueue:get_pid(Q), sys:%s(Name).",
			strings.TrimPrefix(base.Path, "/"), left, verb))
	}
	leader("suspend")
	if err := r.fleet(consumer.Partitioned(2, spec)[:1]).start(); err != nil {
		t.Errorf("who wants as many as there are waits for a silent one: %v", err)
	}
	resumed := make(chan struct{})
	go func() {
		defer close(resumed)
		time.Sleep(time.Second) // four times as long as the broker waits
		leader("resume")
	}()
	if err := r.fleet(consumer.Partitioned(1, spec)).start(); !errors.Is(err, consumer.ErrOtherPartitions) {
		t.Errorf("got %v, want an ErrOtherPartitions", err)
	}
	<-resumed
}
