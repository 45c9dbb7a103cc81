package topology

import (
	"fmt"
	"slices"
)

// argument says which queues have an argument of a queue, and which values it may have. A broker
// refuses all others with 406 "invalid arg" when the queue is declared.
type argument struct {
	types []QueueType // nil means both
	// instead says what to do for a queue of another type.
	instead string
	want    string // describes the values that allowed accepts
	allowed func(value any) bool
}

// knownArguments are those of which RabbitMQ 3.10 to 4.3 all refuse what is not said here. Where the
// versions differ, the one that takes more counts: the broker itself tells the rest.
var knownArguments = map[string]argument{
	"x-message-ttl":      {want: fmt.Sprintf("milliseconds from 0 to %d", MaxDelay.Milliseconds()), allowed: between(0, MaxDelay.Milliseconds())},
	"x-max-length":       {want: anyCount, allowed: isCount},
	"x-max-length-bytes": {want: anyCount, allowed: isCount},
	"x-consumer-timeout": {want: "milliseconds from 0 on", allowed: isCount},
	"x-queue-leader-locator": {
		want: "client-local, balanced, least-leaders or random", allowed: oneOf("client-local", "balanced", "least-leaders", "random"),
	},

	"x-max-in-memory-length": {types: []QueueType{Quorum}, instead: noneSuch, want: anyCount, allowed: isCount},
	"x-max-in-memory-bytes":  {types: []QueueType{Quorum}, instead: noneSuch, want: anyCount, allowed: isCount},

	"x-max-priority": {
		types: []QueueType{Classic}, want: "a number from 0 to 255", allowed: between(0, 255),
		instead: "leave it out (from RabbitMQ 4.0 on, messages with a priority above 4 overtake others without it), or set Type to classic",
	},
	"x-queue-mode":           {types: []QueueType{Classic}, instead: noneSuch},
	"x-queue-master-locator": {types: []QueueType{Classic}, instead: "x-queue-leader-locator is its name for other types"},
	"x-queue-version":        {types: []QueueType{Classic}, instead: noneSuch, want: "1 or 2", allowed: between(1, 2)},

	"x-max-age":                       {types: onlyStreams, instead: noStreams},
	"x-stream-max-segment-size-bytes": {types: onlyStreams, instead: noStreams},
	"x-stream-filter-size-bytes":      {types: onlyStreams, instead: noStreams},
	"x-initial-cluster-size":          {types: onlyStreams, instead: noStreams},
}

const (
	anyCount  = "a number from 0 on"
	noneSuch  = "leave it out"
	noStreams = "only streams have it, and a consumer cannot use a stream"
)

var onlyStreams = []QueueType{}

// impossible returns why no broker takes an argument of a queue of this type, and "" if one may.
func impossible(kind QueueType, name string, value any) string {
	a, known := knownArguments[name]
	switch {
	case !known:
		return "" // a plugin may know it, and the broker ignores what it does not know
	case a.types != nil && !slices.Contains(a.types, kind):
		return fmt.Sprintf("no queue of type %q has it: %s", kind, a.instead)
	case a.allowed != nil && !a.allowed(value):
		return "the broker wants " + a.want
	}
	return ""
}

func isCount(value any) bool {
	n, ok := value.(int64)
	return ok && n >= 0
}

func between(least, most int64) func(any) bool {
	return func(value any) bool {
		n, ok := value.(int64)
		return ok && n >= least && n <= most
	}
}

func oneOf(texts ...string) func(any) bool {
	return func(value any) bool {
		s, ok := value.(string)
		return ok && slices.Contains(texts, s)
	}
}
