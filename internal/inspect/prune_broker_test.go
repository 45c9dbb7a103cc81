package inspect

import (
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/internal/management"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/topology"
)

func TestPruningLeavesWhatIsNotEmptyNamedOrUnknown(t *testing.T) {
	for _, kind := range []topology.QueueType{topology.Quorum, topology.Classic} {
		t.Run(string(kind), func(t *testing.T) {
			b, ctx := broker(t, connection.Config{})
			name := amqptest.Queue(t, "pruned", "-retry-1h", "-retry-2h", "-retry-3h", "-retry-4h", "-retry-5h", "-other-retry-1h")
			before := topology.Plan{Queue: name, Type: kind, Delays: []time.Duration{time.Hour, 2 * time.Hour, 3 * time.Hour}}
			if err := b.Declare(ctx, plan(t, before)); err != nil {
				t.Fatal(err)
			}
			amqptest.Publish(t, "", name+"-retry-2h", amqp.Publishing{})
			// A queue of somebody else that has such a name by chance.
			declare(t, name+"-retry-4h", map[string]any{"x-queue-type": "classic"})
			// A queue of another consumer.
			declare(t, name+"-other-retry-1h", map[string]any{"x-queue-type": "classic"})
			// A queue that does not lead back.
			declare(t, name+"-retry-5h", map[string]any{"x-queue-type": "classic", "x-message-ttl": int64(18_000_000)})

			now := before
			now.Delays = []time.Duration{3 * time.Hour}
			zero := 0
			known := &Known{Queues: map[string]management.Queue{}}
			for _, delay := range []string{"1h", "2h", "3h", "4h", "5h"} {
				known.Queues[name+"-retry-"+delay] = management.Queue{Messages: &zero, Kept: &zero}
			}
			found, err := b.Leftovers(ctx, known, nil, now)
			if err != nil {
				t.Fatal(err)
			}
			keeps := map[string]string{}
			for i := range found {
				if err := b.Prune(ctx, &found[i]); err != nil {
					t.Fatal(err)
				}
				keeps[strings.TrimPrefix(found[i].Queue, name)] = found[i].Keep
				if found[i].Deleted != (found[i].Keep == "") {
					t.Errorf("%+v", found[i])
				}
			}
			if len(keeps) != 4 || keeps["-retry-1h"] != "" || keeps["-retry-2h"] == "" || keeps["-retry-4h"] == "" || keeps["-retry-5h"] == "" {
				t.Errorf("kept %q, want all but that of 1h, and that of 3h not even looked at", keeps)
			}
			for suffix, want := range map[string]bool{
				"": true, "-error": true, "-retry-1h": false, "-retry-2h": true, "-retry-3h": true, "-retry-4h": true, "-retry-5h": true, "-other-retry-1h": true,
			} {
				if there := amqptest.Exists(t, name+suffix); there != want {
					t.Errorf("queue %s: there is %v, want %v", suffix, there, want)
				}
			}
			if depth := amqptest.Depth(t, name+"-retry-2h"); depth != 1 {
				t.Errorf("%d messages wait, want 1", depth)
			}
		})
	}
}

func TestAQueueThatFillsAfterItWasLookedAtIsNotDeleted(t *testing.T) {
	b, ctx := broker(t, connection.Config{})
	name := amqptest.Queue(t, "filled", "-retry-1h")
	before := topology.Plan{Queue: name, Type: topology.Classic, Delays: []time.Duration{time.Hour}}
	if err := b.Declare(ctx, plan(t, before)); err != nil {
		t.Fatal(err)
	}
	now := before
	now.Delays = nil
	found, err := b.Leftovers(ctx, nil, []time.Duration{time.Hour}, now)
	if err != nil || len(found) != 1 || found[0].Keep != "" {
		t.Fatalf("%+v, %v, want one that can be deleted", found, err)
	}
	amqptest.Publish(t, "", found[0].Queue, amqp.Publishing{})
	if err := b.Prune(ctx, &found[0]); err != nil || found[0].Deleted || found[0].Keep == "" {
		t.Errorf("%+v, %v, want it to be kept", found[0], err)
	}
	if depth := amqptest.Depth(t, name+"-retry-1h"); depth != 1 {
		t.Errorf("%d messages wait, want 1", depth)
	}
}
