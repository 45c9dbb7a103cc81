package sending

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/foreign"
	"github.com/bunnicula-go/bunnicula/internal/wire"
)

// Rules say what a publisher makes of a payload.
type Rules struct {
	Exchange string
	Encode   Encode
	MaxBody  int // bytes; 0 is DefaultMaxBody

	// Lends says that the call which publishes the message waits for its end. Then a []byte is not
	// copied: see Envelope.Lent.
	Lends bool
}

// DefaultMaxBody is also RabbitMQ 4's own limit (max_message_size).
const DefaultMaxBody = 16 << 20

// Encode is a codec's.
type Encode func(payload any) (Encoded, error)

// Encoded is a publisher.Body.
type Encoded struct {
	Bytes                        []byte
	ContentType, ContentEncoding string
	Headers                      map[string]any
}

// Draft is a message while its options are applied.
type Draft struct {
	Envelope
	Added  map[string]any // headers
	Encode Encode
	NoCopy bool // nobody changes a []byte any more

	// Place is for a message that waits in an outbox, and zero for any other.
	Place Place

	// Partition is for a message that goes to a partition of the queue, and nil for any other.
	Partition *Partition

	// Output is for an output of a pipeline's stage, and nil for any other.
	Output *Output

	// When returns the time at which the message is due, if it is built at now. It is nil for a
	// message without a delay.
	When func(now time.Time) time.Time
}

// roomForOurs is what Build leaves for what consumers, and brokers, add to a message that fails.
const roomForOurs = 4 << 10

// Build makes the Envelope that a publisher with these Rules sends, or the error that it returns
// for bad input. Only the connection's name as app id is missing. Whatever the error, the Envelope
// says where the message was to go.
func Build[Option ~func(*Draft) error](r Rules, routingKey string, payload any, opts []Option) (Envelope, error) {
	d := drafts.Get().(*Draft)
	defer d.discard()
	d.Encode, d.Exchange, d.RoutingKey = r.Encode, r.Exchange, routingKey
	err := apply(d, opts)
	if err == nil {
		err = d.finish(payload, r)
	}
	if err != nil {
		return d.Envelope, d.Failed(err)
	}
	return d.Envelope, nil
}

// drafts has empty ones to use again: options are functions, so each Draft is on the heap.
var drafts = sync.Pool{New: func() any { return new(Draft) }}

func (d *Draft) discard() {
	*d = Draft{}
	drafts.Put(d)
}

// apply applies options to a new Draft.
func apply[Option ~func(*Draft) error](d *Draft, opts []Option) error {
	d.DeliveryMode = amqp.Persistent
	for _, o := range opts {
		if o == nil {
			continue
		}
		if err := o(d); err != nil {
			return err
		}
	}
	return nil
}

func (r Rules) maxBody() int { return cmp.Or(r.MaxBody, DefaultMaxBody) }

// BuildBatch builds n messages. If one is bad none is to be sent: then each has an error, that of a
// good one being ErrNotSent.
func BuildBatch(n int, build func(i int) (Envelope, error)) ([]Envelope, map[int]error) {
	envs, errs := make([]Envelope, n), map[int]error{}
	for i := range n {
		env, err := build(i)
		if err != nil {
			errs[i] = err
		}
		envs[i] = env
	}
	if len(errs) == 0 {
		return envs, nil
	}
	for i := range envs {
		if errs[i] == nil {
			errs[i] = envs[i].Failed(ErrNotSent)
		}
	}
	return nil, errs
}

// finish makes the body and what goes with it, once all options are applied.
func (d *Draft) finish(payload any, r Rules) error {
	if err := d.Place.elsewhere(); err != nil {
		return err
	}
	if err := d.Output.elsewhere(); err != nil {
		return err
	}
	if err := d.partition(); err != nil {
		return err
	}
	if err := d.encode(payload, r); err != nil {
		return err
	}
	now := time.Now()
	if d.Timestamp.IsZero() {
		d.Timestamp = now.UTC()
	}
	if err := d.delay(now); err != nil {
		return err
	}
	return d.check()
}

// check says whether the message can be sent, and again by a consumer when it fails.
func (d *Draft) check() error {
	if err := d.short(); err != nil {
		return err
	}
	return d.fits(wire.MaxProperties - roomForOurs)
}

// encode makes the body, the headers, and the id if the message has none.
func (d *Draft) encode(payload any, r Rules) error {
	if d.Encode == nil {
		return errors.New("codec is nil")
	}
	body, err := d.body(payload, r.Lends)
	if err != nil {
		return fmt.Errorf("encode %T: %w", payload, err)
	}
	if maxBody := r.maxBody(); len(body.Bytes) > maxBody {
		return fmt.Errorf("%w: the body is %d bytes, MaxBody is %d", ErrTooLarge, len(body.Bytes), maxBody)
	}
	d.Body = body.Bytes
	d.ContentType = cmp.Or(d.ContentType, body.ContentType)
	d.ContentEncoding = cmp.Or(d.ContentEncoding, body.ContentEncoding)
	if d.Headers, err = d.headers(body.Headers); err != nil {
		return err
	}
	if d.MessageId == "" {
		d.MessageId = NewID()
	}
	return nil
}

// body encodes the payload. A []byte is sent as it is. It may still be on its way when the caller
// uses its buffer for something else, so it is copied: here, or when it is written if it is lent.
func (d *Draft) body(payload any, lends bool) (body Encoded, err error) {
	if raw, ok := payload.([]byte); ok {
		d.Lent = lends && !d.NoCopy
		if !d.Lent && !d.NoCopy {
			raw = bytes.Clone(raw)
		}
		return Encoded{Bytes: raw, ContentType: Bytes}, nil
	}
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("codec panicked: %s", foreign.Panic(p))
		}
	}()
	return d.Encode(payload)
}

// headers are the codec's and those of the options, which win. The framework's own and the broker's
// are left out.
func (d *Draft) headers(codecs map[string]any) (amqp.Table, error) {
	all := d.Added
	if len(codecs) > 0 {
		all = maps.Clone(codecs)
		maps.Copy(all, d.Added)
	}
	if len(all) == 0 {
		return nil, nil
	}
	maps.DeleteFunc(all, func(name string, _ any) bool { return wire.IsOurs(name) || wire.IsBrokers(name) })
	return wire.Headers(all)
}
