//go:build unix

package faults_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"strconv"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/sending"
	"github.com/bunnicula-go/bunnicula/internal/wire"
	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/publisher"
)

// publishCrafted publishes messages that no Publisher sends, each changed by its behaviour's craft.
// It returns when all are confirmed.
func (s *stage) publishCrafted(m mix) {
	s.t.Helper()
	s.each(func(l *lane) { s.craft(l, l.direct, m) })
}

// craft publishes the messages on a connection that the scenario chooses.
func (s *stage) craft(l *lane, by *direct, m mix) {
	s.t.Helper()
	for _, do := range m.shuffled() {
		n, queue := l.account.begin(do, "")
		composed := compose(l.id, n, do)
		p := amqp.Publishing{
			MessageId: composed.id, Body: composed.body, Headers: maps.Clone(composed.headers),
			DeliveryMode: amqp.Persistent, Timestamp: time.Now(), ContentType: "application/json",
		}
		if b, _ := behaviourOf(do); b.craft != nil {
			b.craft(order{Lane: l.id, N: n, Do: do}, &p)
		}
		err := by.publish(queue, p)
		l.account.end(n, err)
		if err != nil {
			s.t.Errorf("%s: publish message %d (%s): %v", l.kind, n, do, err)
		}
	}
}

// publish publishes a message unchanged, and returns when the broker has confirmed it and routed it
// to a queue.
func (d *direct) publish(queue string, p amqp.Publishing) error {
	return d.with(func(ch *amqp.Channel) error {
		if err := ch.Confirm(false); err != nil {
			return err
		}
		ended := ch.NotifyClose(make(chan *amqp.Error, 1))
		returns := ch.NotifyReturn(make(chan amqp.Return, 1))
		confirm, err := ch.PublishWithDeferredConfirm("", queue, true, false, p)
		if err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		acked, err := confirm.WaitContext(ctx)
		switch {
		case err != nil:
			return err
		case len(returns) > 0: // a return is delivered before the confirm
			return publisher.ErrUnroutable
		case !acked && ch.IsClosed():
			return <-ended
		case !acked:
			return publisher.ErrNacked
		}
		return nil
	})
}

// argument returns the text behind the behaviour's name as a number.
func (o order) argument() int {
	_, arg, _ := strings.Cut(o.Do, " ")
	n, err := strconv.Atoi(arg)
	if err != nil {
		panic(fmt.Sprintf("behaviour %q: %v", o.Do, err))
	}
	return n
}

// oddValues are values that anybody may write into a header, one of each AMQP type.
var oddValues = []any{
	nil, true, byte(255), int8(-1), int16(math.MinInt16), int32(math.MaxInt32), int64(math.MinInt64), int64(math.MaxInt64), int64(2),
	float32(1.5), math.MaxFloat64, amqp.Decimal{Scale: 3, Value: -7}, time.Unix(0, 0),
	"", "2", "-2", "99999999999999999999", "\x00\xff\xfe", strings.Repeat("long ", 4_000), []byte{0, 255}, "[{]", `{"a":1}`,
	strings.Repeat("[", 10_000), `[null,1,{"at":7}]`, "[" + strings.Repeat(`{"at":"x","error":"`+strings.Repeat("e", 1_000)+`"},`, 15) + `{}]`,
	[]any{}, []any{amqp.Table{"count": "many", "reason": int32(1), "queue": nil}, nil}, amqp.Table{}, amqp.Table{"queue": []any{amqp.Table{}}},
}

// oddNames are the headers that the framework or the broker reads.
var oddNames = []string{
	wire.RetryAttempts, wire.Reason, wire.Error, wire.ErrorType, wire.Stack, wire.ErrorGroup, wire.History, wire.FirstFailedAt, wire.FailedAt,
	wire.Consumer, wire.App, wire.AppVersion, wire.Host, wire.OriginalExchange, wire.OriginalRoutingKey, wire.OriginalExpiration, wire.OriginalUserID,
	wire.NotBefore, wire.RedriveCount, wire.RedrivenAt, wire.RedriveID, wire.Prefix + "new", wire.DeliveryCount, "x-acquired-count",
	"x-death", "x-first-death-queue", "x-first-death-reason", "x-first-death-exchange", "x-last-death-queue", "x-stream-offset", "x-opt-rabbitmq-sent-time",
}

func oddCraft(o order, p *amqp.Publishing) {
	i := o.argument()
	value := oddValues[i%len(oddValues)]
	names := oddNames
	if text, _ := value.(string); len(text) > 2_000 {
		// All together must fit a frame.
		names = []string{wire.RetryAttempts, wire.Error, wire.Stack, wire.History, "x-death"}
	}
	for _, name := range names {
		p.Headers[name] = value
	}
	if i >= len(oddValues) { // once more, with this value too
		p.Headers[wire.Queue] = value
	}
}

// filler adds a header that nearly fills a frame.
func filler(o order, p *amqp.Publishing) { p.Headers["filler"] = strings.Repeat("f", o.argument()) }

// The user ids of messages that have one.
const (
	stranger = "stranger"
	ownUser  = "bunnicula" // the workers'
)

// carbonCopies returns the queues that CC and BCC name.
func carbonCopies(lane string) []string { return []string{"faults-cc-" + lane, "faults-bcc-" + lane} }

// foreignCraft sets all properties that a message may have.
func foreignCraft(o order, p *amqp.Publishing) {
	to := carbonCopies(o.Lane)
	p.Headers["CC"], p.Headers["BCC"] = []any{to[0]}, []any{to[1]}
	p.UserId, p.Expiration, p.Priority = stranger, "60000", 9
	p.CorrelationId, p.ReplyTo, p.Type, p.AppId = "correlation", "reply", "type", "app"
}

// foreign makes a handler that checks at each attempt that the Delivery has the properties with
// which the message was first published.
func foreign(then func(context.Context, visit) consumer.Result) func(context.Context, visit) consumer.Result {
	return func(ctx context.Context, v visit) consumer.Result {
		if v.UserID != stranger || v.Expiration != "60000" || v.Priority != 9 || v.RoutingKey != v.Queue || v.CorrelationID != "correlation" {
			return consumer.Snooze(time.Hour) // the audit notices it: the message never ends
		}
		return then(ctx, v)
	}
}

// giant returns a body of so many bytes: the order, followed by blanks.
func giant(size int) func(order) []byte {
	return func(o order) []byte {
		body, err := json.Marshal(order{Lane: o.Lane, N: o.N, Do: o.Do})
		if err != nil {
			panic(err) // a struct of strings
		}
		return append(body, bytes.Repeat([]byte(" "), size-len(body))...)
	}
}

func onceMore(_ context.Context, v visit) consumer.Result {
	if v.Attempt == 1 {
		return consumer.Retry(errors.New("not yet"))
	}
	return consumer.Ack()
}

func init() {
	never := behaviours["retry-always"].do
	maps.Copy(behaviours, map[string]behaviour{
		// "odd 3" has the third odd value in every header that anybody reads, and is retried once.
		"odd": {acked: true, craft: oddCraft, do: onceMore},
		// "odd-error" is the same, but is parked.
		"odd-error": {parked: monitoring.ReasonError, craft: oddCraft, do: behaviours["error"].do},

		// "nested 30" has a header with that many nested tables, and is retried once. The client
		// library reads 32.
		"nested": {acked: true, do: onceMore, craft: func(o order, p *amqp.Publishing) {
			t := amqp.Table{"end": "here"}
			for range o.argument() - 1 {
				t = amqp.Table{"t": t}
			}
			p.Headers["nested"] = t
		}},
		// "many 8000" has that many headers in all, and is retried once if there is room for that.
		// The client library reads 8192.
		"many": {acked: true, parked: monitoring.ReasonRetry, bare: true, do: onceMore, craft: func(o order, p *amqp.Publishing) {
			for i := range o.argument() - len(p.Headers) {
				p.Headers[fmt.Sprintf("h%x", i)] = nil
			}
		}},
		// "many-error 8000" is parked.
		"many-error": {parked: monitoring.ReasonError, bare: true, do: behaviours["error"].do, craft: func(o order, p *amqp.Publishing) {
			behaviours["many"].craft(o, p)
		}},
		// "filled 120000" has a header of that size. There is room for ours beside it.
		"filled": {parked: monitoring.ReasonRetriesExhausted, spent: true, craft: filler, do: never},
		// "full 130700" has a header that leaves no room for ours.
		"full": {parked: monitoring.ReasonRetry, bare: true, craft: filler, do: never},
		// "full-ack 130700" is acked, which needs no header of ours.
		"full-ack": {acked: true, craft: filler, do: behaviours["ack"].do},

		// "typed image/png" has a content type that does not fit its body.
		"typed": {acked: true, do: onceMore, craft: func(o order, p *amqp.Publishing) {
			_, p.ContentType, _ = strings.Cut(o.Do, " ")
			p.ContentEncoding = "gzip"
		}},

		"giant":       {acked: true, body: giant(sending.DefaultMaxBody), do: onceMore},
		"giant-error": {parked: monitoring.ReasonError, body: giant(sending.DefaultMaxBody), do: behaviours["error"].do},
		"giant-over":  {body: giant(sending.DefaultMaxBody + 1), do: behaviours["ack"].do},

		"foreign-retry":  {acked: true, craft: foreignCraft, do: foreign(onceMore)},
		"foreign-error":  {parked: monitoring.ReasonError, craft: foreignCraft, do: foreign(behaviours["error"].do)},
		"foreign-always": {parked: monitoring.ReasonRetriesExhausted, spent: true, craft: foreignCraft, do: foreign(never)},
		// The message has the workers' own user id.
		"own-error": {parked: monitoring.ReasonError, do: behaviours["error"].do, craft: func(o order, p *amqp.Publishing) {
			foreignCraft(o, p)
			delete(p.Headers, "CC")
			delete(p.Headers, "BCC")
			p.UserId = ownUser
		}},
		// The message expires before anybody handles it, and the broker parks it.
		"expire": {parked: "expired", do: behaviours["ack"].do, craft: func(o order, p *amqp.Publishing) {
			foreignCraft(o, p)
			p.Expiration = "1"
		}},
	})
}
