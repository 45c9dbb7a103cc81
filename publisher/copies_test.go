package publisher_test

import (
	"runtime"
	"testing"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/publisher"
)

func TestALargeBodyIsNotClonedWhereTheCallerWaitsOrGivesItAway(t *testing.T) {
	const size, rounds = 256 << 10, 20
	q := queue(t, quorum)
	pub := client(t, connect(t, connection.Config{}), publisher.Config{})
	body := make([]byte, size)
	for name, publish := range map[string]func() error{
		"Publish": func() error { return pub.Publish(soon(t), q, body) },
		"PublishBatch": func() error {
			return pub.PublishBatch(soon(t), publisher.Message{RoutingKey: q, Payload: body})
		},
		"PublishAsync with NoCopy": func() error {
			c, err := pub.PublishAsync(soon(t), q, body, publisher.NoCopy())
			if err != nil {
				return err
			}
			<-c.Done()
			return c.Err()
		},
	} {
		if err := publish(); err != nil { // the first one makes buffers
			t.Fatal(name, err)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range rounds {
			if err := publish(); err != nil {
				t.Fatal(name, err)
			}
		}
		runtime.ReadMemStats(&after)
		if each := (after.TotalAlloc - before.TotalAlloc) / rounds; each > size/2 {
			t.Errorf("%s: %d bytes were allocated for a message of %d", name, each, size)
		}
	}
	if n := amqptest.Depth(t, q); n != 3*(rounds+1) {
		t.Errorf("%d messages arrived, want %d", n, 3*(rounds+1))
	}
}
