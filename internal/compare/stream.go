package compare

import (
	"errors"
	"fmt"
	"strings"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/transport"
	"github.com/bunnicula-go/bunnicula/topology"
)

// AMQP does not tell the type of a queue, and a stream delivers to a consumer as a queue does. But
// streams have no consumer priorities: the broker refuses every consumer of a stream that has one
// (406). It looks at the type before it looks at the value of the priority.
const priority = "x-priority"

// Subscription returns the arguments of a consumer with this priority. 0 is what a consumer without
// one has. A stream refuses it: see [Stream].
func Subscription(p int) amqp.Table { return amqp.Table{priority: int32(p)} }

// Stream wraps the refusal of a consumer with the arguments of Subscription in topology.ErrStream,
// if the queue is a stream. It returns other errors as they are.
func Stream(queue string, err error) error {
	if refusesPriority(err) == "" {
		return err
	}
	return fmt.Errorf("%w: queue %q is of type stream: %w", topology.ErrStream, queue, err)
}

// refusesPriority returns the broker's words if it refuses the priority, and "" otherwise.
func refusesPriority(err error) string {
	var refused *amqp.Error
	if !errors.As(err, &refused) || refused.Code != amqp.PreconditionFailed || !strings.Contains(refused.Reason, "invalid arg '"+priority+"'") {
		return ""
	}
	return refused.Reason
}

// Consume asks for a consumer that the broker refuses whatever the queue is. The error wraps
// topology.ErrStream for a stream. Otherwise it is the broker's refusal: 406 for another type of
// queue, and 403 or 404 as for any consumer. A stream whose name is so long that the broker cuts its
// words is not known for one. It takes the permission to read the queue, which the broker checks
// first.
func Consume(ch transport.Channel, queue string) error {
	_, err := ch.Consume(queue, "", false, false, false, false, amqp.Table{priority: invalid})
	if err == nil {
		return errors.New("the broker took a consumer that it should have refused")
	}
	if strings.HasSuffix(refusesPriority(err), " of queue type rabbit_stream_queue") {
		return Stream(queue, err)
	}
	return err
}
