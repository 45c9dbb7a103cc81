package simulated

import (
	"slices"
	"strconv"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// stream keeps what was published in segments, and drops nothing but whole segments for their age.
// Readers have cursors of their own. Guarded by the broker's lock.
type stream struct {
	maxAge      time.Duration // 0 is for ever
	segmentSize int64

	segments []segment // the last one is written to
	next     int       // offset
}

// segment is a file of a real broker.
type segment struct {
	messages []*message
	bytes    int64
	newest   time.Time
}

const (
	// offsetHeader is the one of deliveries, and the argument of a subscription.
	offsetHeader = "x-stream-offset"
	// recordSize is what a record takes beside its body.
	recordSize = 100
	// defaultSegment is the segment size of RabbitMQ, in bytes.
	defaultSegment = 500_000_000
)

func newStream(args amqp.Table) *stream {
	s := &stream{segmentSize: defaultSegment, segments: make([]segment, 1)}
	s.maxAge, _ = ageOf(args["x-max-age"])
	if n, ok := args["x-stream-max-segment-size-bytes"].(int64); ok {
		s.segmentSize = n
	}
	return s
}

// ageOf reads an x-max-age. It is false for one that a broker refuses.
func ageOf(arg any) (time.Duration, bool) {
	text, ok := arg.(string)
	if !ok || text == "" {
		return 0, arg == nil
	}
	units := map[string]time.Duration{
		"s": time.Second, "m": time.Minute, "h": time.Hour, "D": 24 * time.Hour, "M": 30 * 24 * time.Hour, "Y": 365 * 24 * time.Hour,
	}
	unit, known := units[text[len(text)-1:]]
	n, err := strconv.ParseUint(text[:len(text)-1], 10, 32)
	return time.Duration(n) * unit, known && err == nil //nolint:gosec // it fits
}

// notStreams are arguments that a stream cannot have.
var notStreams = []string{
	"x-message-ttl", "x-max-length", "x-single-active-consumer", "x-dead-letter-exchange", "x-dead-letter-routing-key", "x-expires", "x-overflow",
	"x-max-priority", "x-delivery-limit",
}

// impossibleStream is why a stream cannot be declared, or nil.
func impossibleStream(name string, args amqp.Table) *amqp.Error {
	if args["x-queue-type"] != "stream" {
		return nil
	}
	for _, arg := range notStreams {
		if args[arg] != nil {
			return refusal(amqp.PreconditionFailed, "PRECONDITION_FAILED - invalid arg '%s' for queue '%s' in vhost '/' of queue type rabbit_stream_queue", arg, name)
		}
	}
	if args["x-max-length-bytes"] != nil {
		return refusal(amqp.PreconditionFailed, "PRECONDITION_FAILED - the simulation has no streams with x-max-length-bytes")
	}
	if _, ok := ageOf(args["x-max-age"]); !ok {
		return refusal(amqp.PreconditionFailed, "PRECONDITION_FAILED - invalid arg 'x-max-age' for queue '%s' in vhost '/': invalid_max_age", name)
	}
	return nil
}

// messages are all that are left, in their order. A queue that is no stream has none.
func (s *stream) messages() []*message {
	if s == nil {
		return nil
	}
	var all []*message
	for _, one := range s.segments {
		all = append(all, one.messages...)
	}
	return all
}

// push appends a message. A new segment begins when the last one is full; then old ones are
// dropped, and not at any other time. The broker keeps something of its own at the beginning of
// each segment but the first, which takes an offset.
func (s *stream) push(m *message) {
	last := &s.segments[len(s.segments)-1]
	if last.bytes >= s.segmentSize {
		s.segments = append(s.segments, segment{})
		s.next++
		s.retain()
		last = &s.segments[len(s.segments)-1]
	}
	m.number, m.written = s.next, time.Now()
	s.next++
	last.messages = append(last.messages, m)
	last.bytes += int64(len(m.Body)) + recordSize
	last.newest = m.written
}

func (s *stream) retain() {
	for s.maxAge > 0 && len(s.segments) > 1 && time.Since(s.segments[0].newest) > s.maxAge {
		s.segments = s.segments[1:]
	}
}

// at is the first message at an offset or behind it, nil if there is none yet.
func (s *stream) at(offset int) *message {
	for _, one := range s.segments {
		n := len(one.messages)
		if n == 0 || one.messages[n-1].number < offset {
			continue
		}
		i, _ := slices.BinarySearchFunc(one.messages, offset, func(m *message, n int) int { return m.number - n })
		return one.messages[i]
	}
	return nil
}

// dispatch hands each reader what it has room for.
func (s *stream) dispatch(readers []*subscription) {
	for _, sub := range slices.Clone(readers) {
		for sub.hasRoom() {
			m := s.at(sub.cursor)
			if m == nil {
				break
			}
			sub.cursor = m.number + 1
			sub.on.deliver(sub, m)
		}
	}
}

// cursor is where a reader begins. It is false for what is no offset.
func (s *stream) cursor(offset any) (int, bool) {
	switch from := plain(offset).(type) {
	case nil:
		return s.next, true
	case int64:
		return int(from), true
	case time.Time:
		for _, m := range s.messages() {
			if !m.written.Before(from) {
				return m.number, true
			}
		}
		return s.next, true
	case string:
		return s.named(from)
	}
	return 0, false
}

// named is where a reader begins that asks for a name. Each message is a chunk of its own here.
func (s *stream) named(offset string) (int, bool) {
	all := s.messages()
	switch {
	case offset == "first":
		return 0, true
	case offset == "next", offset == "last" && len(all) == 0:
		return s.next, true
	case offset == "last":
		return all[len(all)-1].number, true
	}
	return 0, false
}

// consumers is what a broker tells of them: of a stream's it tells nothing.
func (q *queue) consumers() int {
	if q.stream != nil {
		return 0
	}
	return len(q.subscriptions)
}

// read is basic.consume of a stream.
func (s *served) read(q *queue, tag string, autoAck bool, offset any) *amqp.Error {
	cursor, ok := q.stream.cursor(offset)
	_, text := offset.(string)
	switch {
	case autoAck:
		s.session.refuse(notImplemented("automatic acknowledgement not supported by stream queue '%s' in vhost '/'", q.name))
		return nil
	case s.prefetch == 0:
		return refusal(amqp.PreconditionFailed, "PRECONDITION_FAILED - consumer prefetch count is not set for stream queue '%s' in vhost '/'", q.name)
	case s.consumers[tag] != nil:
		s.note(Event{Kind: Violation, Text: "a consumer tag is used twice at once on its channel: " + tag})
		s.session.refuse(refusal(amqp.NotAllowed, "NOT_ALLOWED - attempt to reuse consumer tag '%s'", tag))
		return nil
	case !ok && text && s.session.broker.Version != RabbitMQ3:
		return refusal(amqp.PreconditionFailed, "PRECONDITION_FAILED - invalid arg 'x-stream-offset' for queue '%s' in vhost '/'", q.name)
	case !ok:
		s.session.refuse(refusal(541, "INTERNAL_ERROR"))
		return nil
	}
	sub := &subscription{tag: tag, on: s, queue: q, prefetch: s.prefetch, cursor: cursor}
	s.consumers[tag], s.used[tag] = sub, sub
	q.subscriptions = append(q.subscriptions, sub)
	s.note(Event{Kind: Subscribed, Tag: uint64(s.prefetch), Queue: q.name, Text: tag}) //nolint:gosec // it is not negative
	return nil
}

func notImplemented(format string, args ...any) *amqp.Error {
	return refusal(amqp.NotImplemented, "NOT_IMPLEMENTED - "+format, args...)
}
