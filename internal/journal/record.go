package journal

import (
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// Record is one record, as read. Body and Headers are the reader's.
type Record struct {
	Offset   int64
	At       time.Time // the timestamp property, by the writer's clock; zero if there is none
	Exchange string    // to which it was published
	ID       string    // message id
	Type     string    // the type property
	UserID   string    // the validated user id, if the writer has set one
	AppID    string
	ReplyTo  string
	Headers  map[string]any
	Body     []byte
}

// markType is the type of a mark: a record that says nothing but that a Fold ends here.
const markType = "bunnicula.mark"

// offsetHeader is the broker's, on each delivery of a stream.
const offsetHeader = "x-stream-offset"

// recordOf reads a delivery. It is false if the queue is no stream.
func recordOf(d *amqp.Delivery) (Record, bool) {
	offset, ok := d.Headers[offsetHeader].(int64)
	if !ok {
		return Record{}, false
	}
	delete(d.Headers, offsetHeader)
	return Record{
		Offset: offset, At: d.Timestamp, Exchange: d.Exchange, ID: d.MessageId, Type: d.Type, UserID: d.UserId,
		AppID: d.AppId, ReplyTo: d.ReplyTo, Headers: d.Headers, Body: d.Body,
	}, true
}

// place is a record that was read: where it stands, and which one it is.
type place struct {
	offset int64
	id     string
	at     int64 // the timestamp, in seconds
}

func placeOf(r *Record) place { return place{r.Offset, r.ID, r.At.Unix()} }

// The verdicts about the first record of a session, of which another one is expected.
type verdict int

const (
	isNext    verdict = iota // it is one to be seen
	isSeen                   // it is the one that was seen last
	isAnother                // the stream is another one
)

// compare decides about a record that has come after last was seen. unsure is set for the first
// record of a session that began at last.
func compare(last place, unsure bool, r *Record) verdict {
	switch {
	case r.Offset > last.offset:
		return isNext // the broker has dropped last, if it is unsure
	case !unsure || r.Offset < last.offset:
		return isAnother
	case last.id == "" && last.at == 0, placeOf(r) == last: // nothing is known of it, or it is the same
		return isSeen
	}
	return isAnother
}
