package use

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/foreign"
)

// ByType is a Handler for a queue with messages of several kinds. The key is the property type of a
// message (Delivery.Type, publisher.Type). "" is for messages that have no type, and for all types
// without a Handler of their own.
//
//	Handler: use.ByType{
//		"charge": consumer.JSON(api.Charge),
//		"row":    use.Batch(50, 100*time.Millisecond, api.Insert),
//	}.Handler(),
//
//	the type of the message    what becomes of the message
//	has a Handler              what its Handler says
//	has none, and "" has one   what the Handler of "" says
//	has none                   Error: it is parked, with its type and the known ones
//
// It does not promise fairness: handlers of all types share the consumer's Concurrency, its Timeout
// and its retries, so those of a slow type can take all slots. Then the types should have queues of
// their own.
type ByType map[string]consumer.Handler

// mostNamed is how many types, or messages, an error names at most.
const mostNamed = 20

// Handler makes the Handler for Spec.Handler. A change of the map after that has no effect. A map
// without Handlers, and a Handler that is nil or refused itself, are an error of consumer.New,
// which names the type.
func (b ByType) Handler() consumer.Handler {
	handlers := maps.Clone(b)
	if len(handlers) == 0 {
		return consumer.Invalid(errors.New("use.ByType: there is no Handler for any type"))
	}
	types := slices.Sorted(maps.Keys(handlers))
	var wrong []error
	for _, name := range types {
		if err := handlers[name].Check(); err != nil {
			wrong = append(wrong, fmt.Errorf("use.ByType: the Handler of type %s: %w", foreign.Word(name), err))
		}
	}
	if wrong != nil {
		return consumer.Invalid(errors.Join(wrong...))
	}
	rest, known := handlers[""], named(types)
	return func(ctx context.Context, d consumer.Delivery) consumer.Result {
		if h, ok := handlers[d.Type]; ok {
			return h(ctx, d)
		}
		if rest != nil {
			return rest(ctx, d)
		}
		return consumer.Error(fmt.Errorf("use.ByType: no Handler for type %s, only for %s", foreign.Word(d.Type), known))
	}
}

// named returns a list of the first names, each made fit to be shown.
func named(all []string) string {
	var text []string
	for _, name := range all[:min(len(all), mostNamed)] {
		text = append(text, foreign.Word(name))
	}
	list := strings.Join(text, ", ")
	if more := len(all) - len(text); more > 0 {
		list += fmt.Sprintf(" and %d more", more)
	}
	return list
}
