package main

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strings"

	amqp "github.com/rabbitmq/amqp091-go"
)

// Parked is a message in an error queue, with what its headers say.
type Parked struct {
	ID       string
	Account  string // whose conversation it is; empty if its body does not say
	Reason   string
	Error    string
	Group    string // the same for all failures of one kind
	Attempts int    // as its history lists them
}

func parkedOf(d amqp.Delivery) Parked {
	header := func(name string) string {
		s, _ := d.Headers[name].(string)
		return s
	}
	var history []json.RawMessage
	_ = json.Unmarshal([]byte(header("bunnicula-history")), &history) // empty if it was dropped for its size
	var job ImportConversation
	_ = json.Unmarshal(d.Body, &job) // a body that is no job has no account
	return Parked{
		ID: d.MessageId, Account: job.Account, Reason: header("bunnicula-reason"), Error: header("bunnicula-error"),
		Group: header("bunnicula-error-group"), Attempts: len(history),
	}
}

// Failure is the messages that were parked for one reason.
type Failure struct {
	Reason      string
	Count       int
	Least, Most int    // attempts
	Example     Parked // the one with the lowest id
}

// failures groups parked messages, the commonest kind first.
func failures(all []Parked) []Failure {
	all = slices.SortedFunc(slices.Values(all), func(a, b Parked) int { return strings.Compare(a.ID, b.ID) })
	var kinds []Failure
	at := map[[2]string]int{}
	for _, p := range all {
		key := [2]string{p.Reason, p.Group}
		i, known := at[key]
		if !known {
			i = len(kinds)
			at[key] = i
			kinds = append(kinds, Failure{Reason: p.Reason, Least: p.Attempts, Most: p.Attempts, Example: p})
		}
		k := &kinds[i]
		k.Count++
		k.Least, k.Most = min(k.Least, p.Attempts), max(k.Most, p.Attempts)
	}
	slices.SortStableFunc(kinds, func(a, b Failure) int { return cmp.Compare(b.Count, a.Count) })
	return kinds
}

// Parked reads the messages of an error queue and leaves them there.
func (b Broker) Parked(ctx context.Context, queue string) ([]Parked, error) {
	messages, err := b.Read(ctx, queue)
	all := make([]Parked, len(messages))
	for i, d := range messages {
		all[i] = parkedOf(d)
	}
	return all, err
}
