package errorqueue

import (
	"context"
	"errors"
	"maps"
	"strconv"

	"github.com/bunnicula-go/bunnicula/topology"
)

const (
	strangerLimit = 10      // of deliveries, for a queue of which nothing is known
	familiarLimit = 500_000 // for a queue with the limit of a million that topology declares

	deliveryLimit = "x-delivery-limit"
)

// boundOf is the delivery count at which a reading ends: the one that is wanted, or else what the
// limit of the queue allows.
func boundOf(wanted int, limit int64) int {
	switch {
	case wanted > 0:
		return wanted
	case limit >= 2*familiarLimit:
		return familiarLimit
	case limit > 0: // each further try counts too, so half of the limit is left for them
		return int(min(strangerLimit, limit/2))
	}
	return strangerLimit
}

// compareOnly is an argument that gets an invalid value. A broker that is asked to declare a queue
// that exists compares the arguments, this one last, or, for a classic queue, not at all. It checks
// whether the value is valid only for a queue that does not exist, and refuses it then. So a
// declaration with this argument never declares a queue.
const compareOnly = "x-queue-leader-locator"

// limitOf finds out a queue's delivery limit. It declares the queue with these arguments, or, if
// there are none, as topology does, and with compareOnly; and corrects one argument after the other
// as the broker says how it differs. It is 0 if the queue has no limit of its own, or if the user
// may not ask.
func limitOf(ctx context.Context, s session, queue string, arguments map[string]any) int64 {
	arguments = maps.Clone(arguments)
	if len(arguments) == 0 {
		arguments = standardArguments(queue)
	}
	if arguments == nil {
		return 0
	}
	arguments[compareOnly] = "compare-only"
	const differences = 16 // a bound; a queue has fewer arguments
	for range differences {
		again := topology.Topology{Queues: []topology.Queue{{Name: queue, Role: topology.RoleError, Arguments: arguments}}}
		err := ask(ctx, s, "compare a queue", func(ch channel) error { return again.Declare(ch) })
		var other *topology.MismatchError
		if err != nil && !errors.As(err, &other) {
			return 0
		}
		if err == nil || other.Argument == compareOnly {
			n, _ := arguments[deliveryLimit].(int64)
			return n
		}
		if other.Existing == "" { // the broker does not say the value
			return 0
		}
		adopt(arguments, other.Argument, other.Existing)
	}
	return 0
}

// adopt sets an argument to the value that the broker said the queue has.
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

// standardArguments are those that topology declares an error queue with. They are nil for a name
// that an error queue cannot have.
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
