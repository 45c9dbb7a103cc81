package otel

import (
	"strings"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
	"pgregory.net/rapid"

	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
)

// routed are patterns, and keys with what a topic exchange does about them.
var routed = map[string]map[string]bool{
	"order.*.created": {"order.7.created": true, "order..created": true, "order.7.8.created": false, "order.created": false, "order.7.created.": false},
	"order.#":         {"order": true, "order.": true, "order.7.created": true, "orders": false, "": false},
	"#.created":       {"created": true, "order.created": true, "order.created.created": true, "created.order": false},
	"a.#.b.#.c":       {"a.b.c": true, "a.b.b.x.c": true, "a.c.b": false, "a.b.c.d": false},
	"*.#.*":           {"a": false, "a.b": true, "a.b.c": true, ".": true},
	"#":               {"": true, "a": true, "a.b": true},
	"*":               {"a": true, "a.b": false, "": false},
	"#.#":             {"": true, "a.b.c": true},
	"orders":          {"orders": true, "order": false, "orders.x": false},
	"order*":          {"orders": false, "order*": true},
}

func TestAPatternMatchesWhatATopicExchangeRoutes(t *testing.T) {
	for text, keys := range routed {
		p, err := newPatterns([]string{text})
		if err != nil {
			t.Fatal(err)
		}
		for key, want := range keys {
			if key == "" { // a publish without a key has no name
				continue
			}
			if got := p.of(key).text == text; got != want {
				t.Errorf("%q and %q: %t, want %t", text, key, got, want)
			}
		}
	}
}

func TestATopicExchangeRoutesWhatTheTableSays(t *testing.T) {
	ch := amqptest.Channel(t)
	for text, keys := range routed {
		q, err := ch.QueueDeclare("", false, true, true, false, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := ch.QueueBind(q.Name, text, "amq.topic", false, nil); err != nil {
			t.Fatal(err)
		}
		for key, want := range keys {
			if err := ch.PublishWithContext(t.Context(), "amq.topic", key, false, false, amqp.Publishing{}); err != nil {
				t.Fatal(err)
			}
			_, got, err := ch.Get(q.Name, true)
			if err != nil || got != want {
				t.Errorf("%q and %q: %t, %v, want %t", text, key, got, err, want)
			}
		}
		if _, err := ch.QueueDelete(q.Name, false, false, false); err != nil {
			t.Fatal(err)
		}
	}
}

// slowly is matches as the definition says it, in exponential time.
func slowly(pattern, key []string) bool {
	switch {
	case len(pattern) == 0:
		return len(key) == 0
	case pattern[0] == "#":
		return slowly(pattern[1:], key) || len(key) > 0 && slowly(pattern, key[1:])
	}
	return len(key) > 0 && (pattern[0] == "*" || pattern[0] == key[0]) && slowly(pattern[1:], key[1:])
}

func TestMatchingFollowsTheDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pattern := rapid.SliceOfN(rapid.SampledFrom([]string{"#", "*", "a", "b", ""}), 1, 6).Draw(t, "pattern")
		key := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "", "#", "*"}), 1, 6).Draw(t, "key")
		if got, want := matches(pattern, key), slowly(pattern, key); got != want {
			t.Fatalf("%q and %q: %t, want %t", pattern, key, got, want)
		}
	})
}

func TestAPatternThatIsNoneIsRefused(t *testing.T) {
	for _, text := range []string{"", "a\xff", strings.Repeat("k", 256)} {
		_, err := New(Config{RoutingKeys: []string{"orders", text}})
		if err == nil || !strings.HasPrefix(err.Error(), "otel: Config.RoutingKeys[1] is ") {
			t.Errorf("%.20q: %v", text, err)
		}
	}
}
