package topology

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Bind binds the main queue to an exchange.
type Bind struct {
	// Exchange is the exchange's name. "" is the default exchange, to which the
	// broker binds every queue by its name: nothing is declared.
	Exchange string

	// Kind is the exchange's type: "direct", "topic", "fanout", "headers", or a plugin's
	// type, which starts with "x-". The exchange is declared with this type, durable and
	// without arguments. A broker without the plugin refuses that: RabbitMQ 3.10 closes
	// the connection (503), 4.0 the channel (406). The scheme Bunnicula takes no Kind.
	//
	// Defaults to "": the exchange is not declared and must exist.
	Kind string

	// Keys are the routing keys to bind with. In a topic exchange "*" stands for
	// one word and "#" for any number of them. At most 255 bytes each.
	//
	// Defaults to the queue's name.
	Keys []string

	// Arguments are the arguments of the binding, such as x-match for a headers exchange.
	//
	// Defaults to none.
	Arguments map[string]any
}

// bind adds the bindings of b, and its exchange if b has a Kind.
func (t *Topology) bind(queue string, b Bind) {
	if b.Exchange == "" {
		return
	}
	if b.Kind != "" {
		t.addExchange(Exchange{Name: b.Exchange, Kind: b.Kind})
	}
	for _, key := range b.Keys {
		t.addBinding(Binding{Queue: queue, Exchange: b.Exchange, Key: key, Arguments: b.Arguments})
	}
}

// checkBindings copies the bindings, fills in their default keys and checks them.
func (p *Plan) checkBindings() error {
	kinds := map[string]string{}
	bindings := slices.Clone(p.Bindings)
	for i := range bindings {
		b := &bindings[i]
		if len(b.Keys) == 0 {
			b.Keys = []string{p.Queue} // as in the default exchange
		}
		if err := b.check(p.Queue); err != nil {
			return fmt.Errorf("Bindings[%d]: exchange %q: %w", i, b.Exchange, err)
		}
		if other := kinds[b.Exchange]; b.Kind != "" && other != "" && other != b.Kind {
			return fmt.Errorf("Bindings[%d]: exchange %q: Kind is %q here and %q before", i, b.Exchange, b.Kind, other)
		} else if b.Kind != "" {
			kinds[b.Exchange] = b.Kind
		}
		arguments, err := normalised(b.Arguments)
		if err != nil {
			return fmt.Errorf("Bindings[%d]: exchange %q: %w", i, b.Exchange, err)
		}
		if match, given := arguments["x-match"]; given && b.Kind == "headers" && !isMatch(match) {
			return fmt.Errorf("Bindings[%d]: exchange %q: Arguments: x-match is %v, the broker wants all, any, all-with-x or any-with-x", i, b.Exchange, match)
		}
		b.Arguments = arguments
	}
	p.Bindings = bindings
	return nil
}

// isMatch says whether a headers exchange takes it as x-match.
var isMatch = oneOf("all", "any", "all-with-x", "any-with-x")

func (b Bind) check(queue string) error {
	if b.Exchange == "" {
		if b.Kind != "" || len(b.Arguments) > 0 || len(b.Keys) > 1 || b.Keys[0] != queue {
			return errors.New("it is the default exchange, to which every queue is bound by its own name and no other key")
		}
		return nil
	}
	if err := checkExisting(b.Exchange); err != nil {
		return err
	}
	if b.Kind != "" && strings.HasPrefix(b.Exchange, reservedPrefix) {
		return errors.New("it is the broker's and not to be declared: leave Kind empty to bind to it")
	}
	switch b.Kind {
	case "", "direct", "topic", "fanout", "headers":
	default:
		if !strings.HasPrefix(b.Kind, "x-") {
			return fmt.Errorf("Kind: %q is none of direct, topic, fanout, headers and x-...", b.Kind)
		}
	}
	for _, key := range b.Keys {
		if len(key) > maxName {
			return fmt.Errorf("Keys: %.20q... has %d bytes, the longest allowed has %d", key, len(key), maxName)
		}
	}
	return nil
}
