package codec_test

import (
	"bytes"
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/codec"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/consumer/consumertest"
	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/publisher"
)

// A byte of gzip makes 1032 bytes at most. So a GiB takes a MiB of gzip, 3 kB of gzip in gzip, or
// 160 bytes in three layers.
func bombs() map[string]amqp.Publishing {
	one := bytes.Repeat(zip(make([]byte, 1<<20)), 1024)
	two := zip(one)
	return map[string]amqp.Publishing{
		"gzip":                 {ContentEncoding: "gzip", Body: one},
		"gzip in gzip":         {ContentEncoding: "gzip, gzip", Body: two},
		"gzip in gzip in gzip": {ContentEncoding: "gzip, gzip, gzip", Body: zip(two)},
		// Inside is nothing, however far it is read.
		"a GiB of empty gzip": {ContentEncoding: "gzip, gzip, gzip", Body: zip(bytes.Repeat(zip(bytes.Repeat(zip(nil), 43_690)), 1024))},
	}
}

const mostAllocated = 32 << 20

// allocated returns how many bytes the process allocates in f.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func TestABodyThatInflatesToAGiBIsParkedWithLessThan32MiB(t *testing.T) {
	queue := consumertest.New(t, consumer.Spec{
		Queue: "orders",
		Handler: consumer.Decode(codec.Gzip(publisher.JSON, codec.Limits{}), func(context.Context, consumer.Message[any]) consumer.Result {
			t.Error("it was handled")
			return consumer.Ack()
		}),
	})
	for name, bomb := range bombs() {
		if strings.Contains(name, " in ") && len(bomb.Body) > 10<<10 {
			t.Errorf("%s is %d bytes", name, len(bomb.Body))
		}
		c := codec.Gzip(publisher.JSON, codec.Limits{})
		var err error
		n := allocated(func() {
			err = c.Decode(publisher.Body{Bytes: bomb.Body, ContentEncoding: bomb.ContentEncoding}, new(any))
		})
		t.Logf("%s: %d bytes; Decode allocates %.1f MiB", name, len(bomb.Body), float64(n)/(1<<20))
		if !errors.Is(err, codec.ErrTooLarge) || n >= mostAllocated {
			t.Errorf("%s: %d bytes were allocated; %v", name, n, err)
		}
		var run *consumertest.Run
		n = allocated(func() {
			run = queue.Deliver(bomb.Body, consumertest.Properties(func(d *amqp.Delivery) { d.ContentEncoding = bomb.ContentEncoding }))
		})
		if n >= mostAllocated {
			t.Errorf("%s: a consumer allocated %d bytes", name, n)
		}
		s := run.Settlement
		if s.Action != monitoring.Parked || s.Reason != monitoring.ReasonUndecodable || s.Copy == nil || !bytes.Equal(s.Copy.Body, bomb.Body) || s.Copy.ContentEncoding != bomb.ContentEncoding {
			t.Errorf("%s: %s, %s, %v", name, s.Action, s.Reason, s.Err)
		}
		const want = "decode: content encoding "
		if text := s.Err.Error(); !strings.HasPrefix(text, want) || !strings.HasSuffix(text, ": codec.Gzip: the body inflates to more than 16777216 bytes, which is Limits.MaxBytes") {
			t.Errorf("%s: %s", name, text)
		}
	}
}
