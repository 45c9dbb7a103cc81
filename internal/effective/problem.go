package effective

import (
	"fmt"
	"slices"

	"github.com/bunnicula-go/bunnicula/topology"
)

// Problem is a setting with which a queue loses messages, delays them, or stands still.
type Problem struct {
	Serious bool   // messages are lost or delayed
	Check   string // a constant name
	Problem string
	Why     string // why it matters
	Do      string
	See     string // a page of documentation
}

// The pages to which problems refer.
const (
	PageAtLeast = "https://www.rabbitmq.com/docs/quorum-queues#dead-lettering"
	PageLength  = "https://www.rabbitmq.com/docs/maxlength#overflow-behaviour"
	PageLimit   = "https://www.rabbitmq.com/docs/quorum-queues#poison-message-handling"
	PageTTL     = "https://www.rabbitmq.com/docs/ttl"
	PageStreams = "https://www.rabbitmq.com/docs/streams"
	PageDelayed = "https://www.rabbitmq.com/docs/quorum-queues"
)

// Problems returns what is wrong with a queue for what a consumer uses it for. want is the queue as
// the consumer needs it; its Arguments are nil if the consumer does not declare it.
func (q Queue) Problems(want topology.Queue) []Problem {
	if q.Type == "stream" {
		return []Problem{{true, "stream", "it is a stream", "A stream does not forget what is acked, and has no dead-lettering and no requeue: nothing can be retried or parked.",
			"Use a quorum queue, under another name.", PageStreams}}
	}
	return slices.Concat(q.deletes(want), q.expires(want), q.deadLetters(want), q.limits(want), q.delays(want))
}

// deletes returns settings with which the queue itself, or the oldest messages, are deleted.
func (q Queue) deletes(want topology.Queue) (all []Problem) {
	if s := q.Get("expires"); s.Value != nil {
		all = append(all, Problem{true, "expires", fmt.Sprintf("it is deleted when nobody has used it for %v ms (%s)", s.Value, s.From),
			"Its messages are deleted with it; that nobody consumes from a retry or an error queue is how it should be.", "Take that away.", PageTTL})
	}
	refuses := q.Get("overflow").Value == "reject-publish"
	for _, name := range []string{"max-length", "max-length-bytes"} {
		s := q.Get(name)
		switch {
		case s.Value == nil:
		case !refuses:
			all = append(all, Problem{true, "drops", fmt.Sprintf("it has %s %v (%s), and drops messages above that", name, s.Value, s.From),
				"With drop-head, the default, it deletes the oldest messages, which were confirmed, and which in an error queue are failed work.",
				"Take the limit away, or set overflow to reject-publish.", PageLength})
		case want.Role != topology.RoleMain:
			all = append(all, Problem{false, "refuses", fmt.Sprintf("it has %s %v (%s), and refuses messages above that", name, s.Value, s.From),
				"What is to be retried or parked there is held unacked when it is full, and stops the consumer in the end.", "Take the limit away, or watch the queue's depth.", PageLength})
		}
	}
	return all
}

// expires returns what is wrong with how long messages stay.
func (q Queue) expires(want topology.Queue) []Problem {
	s := q.Get("message-ttl")
	ms, ok := s.Number()
	switch {
	case s.Value == nil:
	case want.Role == topology.RoleError:
		return []Problem{{true, "error-ttl", fmt.Sprintf("its messages expire after %v ms (%s)", s.Value, s.From),
			"Failed work is deleted before somebody has looked at it.", "Take that away.", PageTTL}}
	case want.Role == topology.RoleRetry && ok && want.Delay > 0 && ms < want.Delay.Milliseconds():
		return []Problem{{false, "retry-ttl", fmt.Sprintf("its messages wait for %d ms (%s), and not for %s", ms, s.From, want.Delay),
			"Retries come too early.", "Take that away.", PageTTL}}
	case want.Role == topology.RoleQuarantine, want.Role == topology.RoleMain && want.Arguments != nil && want.Arguments["x-message-ttl"] == nil:
		return []Problem{{false, "ttl", fmt.Sprintf("its messages expire after %v ms (%s)", s.Value, s.From),
			"What waits longer is parked, or dropped if the queue does not dead-letter.", "Take that away, or scale the consumer so that nothing waits so long.", PageTTL}}
	}
	return nil
}

// deadLetters returns what is wrong with where messages go that leave the queue by themselves.
func (q Queue) deadLetters(want topology.Queue) []Problem {
	target := q.Get("dead-letter-exchange")
	switch {
	case want.Role == topology.RoleError:
		return nil
	case target.Value == nil && want.Role == topology.RoleMain && q.Type == "quorum":
		return []Problem{{false, "no-dead-letter", "it does not dead-letter",
			"What expires in it, or is returned too often, is dropped, and not parked.", "Give it a dead-letter exchange by a policy, or declare it anew.", PageLimit}}
	case q.Type == "quorum" && q.Get("dead-letter-strategy").Value == "at-least-once" && !q.DeadLettersSafely():
		overflow := q.Get("overflow")
		return []Problem{{true, "dead-letters-once", fmt.Sprintf("it dead-letters at most once, because its overflow is %v (%s) and not reject-publish", orDefault(overflow.Value), orNobody(overflow.From)),
			"What leaves it while its target is away or full is lost; in a retry queue that is every message.", "Take that overflow away.", PageAtLeast}}
	}
	return nil
}

func orDefault(v any) any {
	if v == nil {
		return "drop-head"
	}
	return v
}

func orNobody(from string) string {
	if from == "" {
		return "the default"
	}
	return from
}

// lowLimit is the delivery limit below which deploys, lost connections and readers reach it.
const lowLimit = 20

// limits returns what is wrong with how often a message may be given back.
func (q Queue) limits(want topology.Queue) []Problem {
	s := q.Get("delivery-limit")
	n, ok := s.Number()
	switch {
	case !ok || q.Type != "quorum":
	case want.Role == topology.RoleError && n < 1000:
		return []Problem{{true, "delivery-limit", fmt.Sprintf("it has delivery-limit %d (%s), and drops what is given back more often", n, s.From),
			"Before RabbitMQ 4.3 each look at a parked message counts, in the management UI too. Bunnicula's command replaces messages near the limit by copies; others do not.",
			"Keep the policy off this queue, or set a limit of a million there.", PageLimit}}
	case (want.Role == topology.RoleMain || want.Role == topology.RoleQuarantine) && n < lowLimit:
		return []Problem{{false, "delivery-limit", fmt.Sprintf("it has delivery-limit %d (%s)", n, s.From),
			"A message that is given back more often, by deploys and lost connections too, is parked, or dropped if the queue does not dead-letter.",
			"Raise it to 100, which consumers declare.", PageLimit}}
	}
	return nil
}

// delays returns what is wrong with RabbitMQ 4.3's own delayed retries. Nobody gives back what he
// has taken from a retry queue, as nobody takes it.
func (q Queue) delays(want topology.Queue) []Problem {
	s := q.Get("delayed-retry-type")
	const given = "A consumer that pauses or stops gives back what it has taken ahead, and a reader all that it has read; they wait then, and show in no depth."
	const lost = "When a connection is lost or a process dies, all that it had taken waits, also what no handler has begun, and shows in no depth."
	var what, why string
	switch s.Value {
	case "all":
		what, why = "what is given back or returned", given+" "+lost
	case "returned": // RabbitMQ's word for a nack with requeue
		what, why = "what is given back", given
	case "failed":
		what, why = "what is returned", lost
	}
	if why == "" || want.Role == topology.RoleRetry {
		return nil
	}
	return []Problem{{false, "delayed-retry", fmt.Sprintf("it delays %s: delayed-retry-type is %v (%s)", what, s.Value, s.From),
		why, "Set delayed-retry-type to disabled. Retry queues have failed messages wait, and nothing else.", PageDelayed}}
}
