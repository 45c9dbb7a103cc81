package control_test

import (
	"strings"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/control"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/internal/test/connecttest"
)

// Whoever may write to the default exchange may write to the stream, also what ends the connection
// of each reader. The consumers lose theirs once, and the log says what to do.
func TestARecordThatNobodyCanReadCostsTheConsumersOneConnection(t *testing.T) {
	if !amqptest.AtLeast(t, 4, 0) {
		t.Skip("RabbitMQ 3 converts all messages")
	}
	stream, queue := streamOf(t), amqptest.Queue(t, "orders")
	links, log := new(journal), new(journal)
	conn, err := connection.New(connection.Config{URL: amqptest.URL(t), Name: t.Name(), MinBackoff: 20 * time.Millisecond, MaxBackoff: 200 * time.Millisecond}, links.logger())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Stop(connecttest.Within(t, 5*time.Second)) })
	p := run(t, conn, control.AgentConfig{Stream: stream, Logger: log.logger()}, acks, queue)
	fleet := fleetOf(t, connecttest.New(t, connection.Config{}), stream)
	if _, err := fleet.Pause(t.Context(), control.Command{Consumers: []string{queue}, Forever: true}); err != nil {
		t.Fatal(err)
	}
	amqptest.Publish10(t, stream, amqptest.Unconvertible("bad"))
	amqptest.Eventually(t, 20*time.Second, func() bool { return len(log.lines("delete the stream")) == 1 }, "the log does not say what to do")
	time.Sleep(2 * time.Second) // a reader without a link of its own would cost another one each second
	var lost []string
	for _, line := range links.lines("connection lost") {
		if strings.Contains(line, "purpose=consume") {
			lost = append(lost, line)
		}
	}
	if len(lost) != 1 {
		t.Errorf("the consumers have lost %d connections, want 1: %q", len(lost), lost)
	}
	if h := p.all[0].Health(); !h.PausedByOrder {
		t.Errorf("it has forgotten its order: %+v", h)
	}
	if testing.Short() {
		return // it looks again after a minute
	}
	if _, err := amqptest.Channel(t).QueueDelete(stream, false, false, false); err != nil {
		t.Fatal(err)
	}
	amqptest.Eventually(t, 90*time.Second, func() bool {
		orders, err := fleet.Orders(t.Context())
		return err == nil && len(orders) == 1 && orders[0].Paused
	}, "what stands is not in the new stream")
}
