package errorqueue

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/topology"
)

// A broker says that a quorum queue is empty when the queue does not answer it in time.
func TestAQueueThatIsSilentForAMomentIsNotEmpty(t *testing.T) {
	t.Parallel()
	queue := declare(t, topology.Quorum)
	park(t, queue, 5)
	q := open(t, Config{Queue: queue})
	base, err := url.Parse(amqptest.URL(t))
	if err != nil {
		t.Fatal(err)
	}
	leader := func(verb string) {
		amqptest.Ctl(t, "eval", fmt.Sprintf("{ok, Q} = rabbit_amqqueue:lookup(rabbit_misc:r(<<%q>>, queue, <<%q>>)), {Name, _} = amqqueue:get_pid(Q), sys:%s(Name).",
			strings.TrimPrefix(base.Path, "/"), q.Name(), verb))
	}
	for _, look := range []func() int{
		func() int { return len(list(t, q, ListOptions{})) },
		func() int {
			s, err := q.Status(t.Context())
			if err != nil {
				t.Error(err)
			}
			return s.Messages
		},
	} {
		leader("suspend")
		resumed := make(chan struct{})
		go func() {
			defer close(resumed)
			time.Sleep(time.Second) // four times as long as the broker waits
			leader("resume")
		}()
		if n := look(); n != 5 {
			t.Errorf("%d of 5 messages are found", n)
		}
		<-resumed
	}
}
