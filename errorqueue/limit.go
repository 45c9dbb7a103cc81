package errorqueue

import (
	"context"
	"errors"
	"maps"
	"strconv"

	"github.com/bunnicula-go/bunnicula/internal/compare"
	"github.com/bunnicula-go/bunnicula/topology"
)

const (
	strangerLimit = 10      // deliveries, for a queue of which nothing is known
	familiarLimit = 500_000 // deliveries, for a queue with topology's limit of a million

	deliveryLimit = "x-delivery-limit"
)

// boundOf returns the delivery count at which a reading ends: the wanted one, or what the limit of
// the queue allows.
func boundOf(wanted int, limit int64) int {
	switch {
	case wanted > 0:
		return wanted
	case limit >= 2*familiarLimit:
		return familiarLimit
	case limit > 0: // later tries count too, so half of the limit is left for them
		return int(min(strangerLimit, limit/2))
	}
	return strangerLimit
}

// limitOf finds out a queue's delivery limit. It compares the queue with these arguments; without
// arguments it takes those of topology. The broker then names an argument that differs. limitOf corrects one argument after the other, until it knows the limit. The result is 0
// if the queue has no limit of its own, or if the user may not ask.
func limitOf(ctx context.Context, s session, queue string, arguments map[string]any) int64 {
	arguments = maps.Clone(arguments)
	if len(arguments) == 0 {
		arguments = standardArguments(queue)
	}
	if arguments == nil {
		return 0
	}
	const differences = 16 // an upper bound; a queue has fewer arguments
	for range differences {
		again := topology.Topology{Queues: []topology.Queue{{Name: queue, Role: topology.RoleError, Arguments: arguments}}}
		err := ask(ctx, s, "compare a queue", func(ch channel) error { return again.Declare(compare.Only{Channel: ch}) })
		var other *topology.MismatchError
		if err != nil && !errors.As(err, &other) {
			return 0
		}
		if err == nil || compare.IsLast(other.Argument) {
			n, _ := arguments[deliveryLimit].(int64)
			return n
		}
		if other.Existing == "" { // the broker does not tell the value
			return 0
		}
		adopt(arguments, other.Argument, other.Existing)
	}
	return 0
}

// adopt sets an argument to the value that the broker says the queue has.
func adopt(arguments map[string]any, name, existing string) {
	number, err := strconv.ParseInt(existing, 10, 64)
	switch {
	case existing == "none":
		delete(arguments, name)
	case err == nil:
		arguments[name] = number
	case existing == "true", existing == "false":
		arguments[name] = existing == "true"
	default:
		arguments[name] = existing
	}
}

// standardArguments returns the arguments with which topology declares an error queue. It returns
// nil for a name that an error queue cannot have.
func standardArguments(queue string) map[string]any {
	plan, err := topology.New(topology.Plan{Queue: "a", ErrorQueue: queue})
	if err != nil {
		return nil
	}
	for _, q := range plan.Queues {
		if q.Role == topology.RoleError {
			return q.Arguments
		}
	}
	return nil
}
