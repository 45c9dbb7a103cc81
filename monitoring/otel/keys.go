package otel

import (
	"fmt"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
)

// other stands for all routing keys that no pattern matches.
const other = "other"

// maxKey is how many bytes a routing key has at most (AMQP 0-9-1, section 4.2.5.3).
const maxKey = 255

// name is what publishes are called in span names and metrics. There are as many names as patterns,
// and "other", whatever routing keys are used: a key often has an id in it.
type name struct {
	text string // "" for no routing key, or for several in one batch
	// exact says that the text is the one routing key that the name stands for.
	exact bool
}

// isTemplate returns whether the name is a pattern that stands for several keys.
func (n name) isTemplate() bool { return n.text != "" && !n.exact && n.text != other }

// span returns the name of a span.
func (n name) span() string {
	if n.exact || n.isTemplate() {
		return "send " + n.text
	}
	return "send"
}

// attributes returns the attributes of metrics. A name of several keys is a template by the
// semantic conventions.
func (n name) attributes() []attribute.KeyValue {
	switch {
	case n.text == "":
		return nil
	case n.exact:
		return []attribute.KeyValue{semconv.MessagingDestinationName(n.text)}
	}
	return []attribute.KeyValue{semconv.MessagingDestinationTemplate(n.text)}
}

// pattern is one of Config.RoutingKeys.
type pattern struct {
	text  string
	words []string
}

// patterns are those of a Config, in its order.
type patterns []pattern

// newPatterns checks Config.RoutingKeys.
func newPatterns(texts []string) (patterns, error) {
	var all patterns
	for i, text := range texts {
		if text == "" || len(text) > maxKey || strings.ToValidUTF8(text, "") != text {
			return nil, fmt.Errorf("otel: Config.RoutingKeys[%d] is %.40q, want a routing key or a pattern of 1 to %d bytes in UTF-8", i, text, maxKey)
		}
		all = append(all, pattern{text, strings.Split(text, ".")})
	}
	return all, nil
}

// of returns the name of a routing key: that of the first pattern that matches it.
func (p patterns) of(key string) name {
	if key == "" {
		return name{}
	}
	words := strings.Split(key, ".")
	for _, one := range p {
		if matches(one.words, words) {
			return name{text: one.text, exact: one.text == key}
		}
	}
	return name{text: other}
}

// matches returns whether a topic exchange would route a key by a pattern: * stands for one word,
// and # for any number of words.
func matches(pattern, key []string) bool {
	// A # that has matched too few words takes one more. Only the last # needs to be tried again.
	again, rest := -1, 0
	p, k := 0, 0
	for k < len(key) {
		switch {
		case p < len(pattern) && pattern[p] == "#":
			again, rest = p+1, k
			p++
		case p < len(pattern) && (pattern[p] == "*" || pattern[p] == key[k]):
			p, k = p+1, k+1
		case again >= 0:
			rest++
			p, k = again, rest
		default:
			return false
		}
	}
	for p < len(pattern) && pattern[p] == "#" {
		p++
	}
	return p == len(pattern)
}
