package errorqueue

import (
	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/wire"
)

const (
	maxRelapses  = 1000     // messages that are listed of one batch
	relapseBytes = 16 << 20 // of headers and properties of all that a redrive lists
)

// relapses lists the messages of a batch that are parked again. One goroutine uses it.
type relapses struct {
	// Written by look, add and take.
	known seen      // what any look at any batch has found
	list  []Message // of the present batch
	bytes int       // of all batches
}

// look begins another look at what is parked.
func (r *relapses) look() { r.known.again() }

// add adds a message of the redrive that a look has found, unless an earlier one has.
func (r *relapses) add(d *held) {
	if r.known.before(d) || len(r.list) == maxRelapses || r.bytes >= relapseBytes {
		return
	}
	r.bytes += wire.PropertiesSize(&amqp.Publishing{MessageId: d.MessageId, Headers: d.Headers})
	m := d.message
	m.Body = nil
	r.list = append(r.list, m)
}

// take returns the list, and begins that of the next batch.
func (r *relapses) take() []Message {
	list := r.list
	r.list = nil
	return orEmpty(list)
}
