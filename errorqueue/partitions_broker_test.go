package errorqueue

import (
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/internal/wire"
	"github.com/bunnicula-go/bunnicula/topology"
)

// Partitions share an error queue: each of its messages goes back to the partition in which it
// failed.
func TestARedriveSendsEachMessageToItsOwnPartition(t *testing.T) {
	t.Parallel()
	const n = 3
	var suffixes []string
	for i := range n {
		suffixes = append(suffixes, topology.PartitionQueue("", i))
	}
	queue := amqptest.Queue(t, "parked-partitions", suffixes...)
	ch := amqptest.Channel(t)
	for i := range n {
		p := topology.PartitionQueue(queue, i)
		declared(t, topology.Plan{Queue: p, ErrorQueue: queue + "-error", SingleActive: true})
		for k := range 2 {
			err := ch.PublishWithContext(t.Context(), "", queue+"-error", true, false, amqp.Publishing{
				DeliveryMode: amqp.Persistent, MessageId: id(10*i + k), Body: []byte(p), Headers: amqp.Table{wire.Queue: p, wire.Reason: "error"},
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	q := open(t, Named(queue+"-error"))
	report, err := q.Redrive(t.Context(), RedriveOptions{All: true})
	if err != nil || report.Moved != 2*n {
		t.Fatalf("%+v, %v", report, err)
	}
	for i := range n {
		p := topology.PartitionQueue(queue, i)
		in, err := ch.Consume(p, "", true, false, false, false, nil)
		if err != nil {
			t.Fatal(err)
		}
		for k := range 2 {
			if d := <-in; string(d.Body) != p || d.MessageId != id(10*i+k) {
				t.Errorf("%s got %s of %s", p, d.MessageId, d.Body)
			}
		}
	}
}
