package brokertest_test

import (
	"bytes"
	"os"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/brokertest"
)

// release ends what a bubble waits for, as soon as something is said about it.
type release struct {
	bytes.Buffer

	pipe *os.File
}

func (r *release) Write(text []byte) (int, error) {
	_, _ = r.Buffer.Write(text)
	return r.pipe.Write([]byte("x"))
}

func TestABubbleThatWaitsForTheWorldOutsideIsToldOf(t *testing.T) {
	reads, writes, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	said := &release{pipe: writes}
	brokertest.TellStandstill(t, 20*time.Millisecond, said)
	defer time.AfterFunc(5*time.Second, func() { _, _ = writes.WriteString("x") }).Stop() // should nothing be said
	brokertest.Run(t, func(t *testing.T, b *brokertest.Broker) {
		go func() { _, _ = reads.Read(make([]byte, 1)) }()
		app := started(t, acked, b.Option())
		defer app.RequireStop()
		b.Want("orders", brokertest.Status{})
	})
	contains(t, said.String(), t.Name()+": time stands still for 20ms", "Has each app the Option")
}
