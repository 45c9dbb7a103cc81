package simulated

import (
	"maps"
	"reflect"
	"slices"
	"strings"

	amqp "github.com/rabbitmq/amqp091-go"
)

// exchange routes messages to queues. The default exchange is none of them: it has no bindings.
type exchange struct {
	kind                          string
	durable, autoDelete, internal bool
	bindings                      []binding
}

// binding is of one queue.
type binding struct {
	key, queue string
	arguments  amqp.Table
}

func (b binding) is(o binding) bool {
	return b.key == o.key && b.queue == o.queue && reflect.DeepEqual(b.arguments, o.arguments)
}

// impossible is why an exchange of this kind does not take the binding, or nil.
func (b binding) impossible(kind string) *amqp.Error {
	match, given := b.arguments["x-match"]
	if kind != amqp.ExchangeHeaders || !given || slices.Contains(matches, match) {
		return nil
	}
	if text, is := match.(string); is {
		return refusal(amqp.PreconditionFailed, "PRECONDITION_FAILED - Invalid x-match field value <<\"%s\">>; expected all, any, all-with-x, or any-with-x", text)
	}
	return refusal(amqp.PreconditionFailed, "PRECONDITION_FAILED - Invalid x-match field type (value %v); expected longstr", match)
}

// matches are how a binding of a headers exchange may compare.
var matches = []any{"all", "any", "all-with-x", "any-with-x"}

// kinds are the exchange types without plugins.
var kinds = []string{amqp.ExchangeDirect, amqp.ExchangeTopic, amqp.ExchangeFanout, amqp.ExchangeHeaders}

// standing are the exchanges that each vhost has.
func standing() map[string]*exchange {
	all := map[string]*exchange{"amq.match": {kind: amqp.ExchangeHeaders, durable: true}}
	for _, kind := range kinds {
		all["amq."+kind] = &exchange{kind: kind, durable: true}
	}
	return all
}

// route finds the queues of a message, each of them once. It is false if there is no such exchange.
func (b *Broker) route(exchange, key string, headers amqp.Table) ([]*queue, bool) {
	var to []*queue
	if exchange == "" {
		if q := b.queues[key]; q != nil {
			to = append(to, q)
		}
		return to, true
	}
	x := b.exchanges[exchange]
	if x == nil {
		return nil, false
	}
	for _, bind := range x.bindings {
		if q := b.queues[bind.queue]; q != nil && bind.matches(x.kind, key, headers) && !slices.Contains(to, q) {
			to = append(to, q)
		}
	}
	return to, true
}

func (b binding) matches(kind, key string, headers amqp.Table) bool {
	switch kind {
	case amqp.ExchangeFanout:
		return true
	case amqp.ExchangeTopic:
		return matchesTopic(words(b.key), words(key))
	case amqp.ExchangeHeaders:
		return matchesHeaders(b.arguments, headers)
	}
	return b.key == key
}

// words are what stands between the dots of a key. An empty key has none.
func words(key string) []string {
	if key == "" {
		return nil
	}
	return strings.Split(key, ".")
}

// matchesTopic compares word by word: * is one word, # is any number of them.
func matchesTopic(pattern, words []string) bool {
	for i, p := range pattern {
		switch {
		case p == "#":
			for skipped := range len(words) - i + 1 {
				if matchesTopic(pattern[i+1:], words[i+skipped:]) {
					return true
				}
			}
			return false
		case i == len(words), p != "*" && p != words[i]:
			return false
		}
	}
	return len(pattern) == len(words)
}

// matchesHeaders compares a binding's arguments with a message's headers. An argument without a
// value wants the header, whatever its value. Arguments that start with x- count if x-match says
// so.
func matchesHeaders(arguments, headers amqp.Table) bool {
	match, _ := arguments["x-match"].(string)
	match, withX := strings.CutSuffix(match, "-with-x")
	one := match == "any"
	for name, wanted := range arguments {
		if name == "x-match" || strings.HasPrefix(name, "x-") && !withX {
			continue
		}
		value, there := headers[name]
		if fits := there && (wanted == nil || sameValue(wanted, value)); fits == one {
			return one
		}
	}
	return !one
}

// plain makes integers of all sizes equal.
func plain(v any) any {
	if r := reflect.ValueOf(v); r.CanInt() {
		return r.Int()
	} else if r.CanUint() {
		return int64(r.Uint())
	}
	return v
}

// plainTable does so with a queue's or a binding's arguments. No arguments are an empty table.
func plainTable(t amqp.Table) amqp.Table {
	clean := make(amqp.Table, len(t))
	for name, v := range maps.All(t) {
		clean[name] = plain(v)
	}
	return clean
}

// unbind forgets the bindings of a queue that is no more. An exchange that deletes itself goes with
// the last of its bindings.
func (b *Broker) unbind(queue string) {
	for name, x := range b.exchanges {
		had := len(x.bindings)
		x.bindings = slices.DeleteFunc(x.bindings, func(o binding) bool { return o.queue == queue })
		if x.autoDelete && had > 0 && len(x.bindings) == 0 {
			delete(b.exchanges, name)
		}
	}
}
