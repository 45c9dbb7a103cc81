// Package effective says what a broker does with a queue's messages, whoever has decided it: the
// queue's arguments, a policy, or an operator policy. It is pure: values in, values out. The
// management API tells the values; AMQP does not.
package effective

import (
	"errors"
	"fmt"
)

// ErrUnknown means that nobody could be asked, so that the arguments are all that is known.
var ErrUnknown = errors.New("no management API is configured")

// ErrNotYet means that the management API does not know the queue's policies yet. It learns them
// some seconds after the queue was declared.
var ErrNotYet = errors.New("the management API does not know the queue's policies yet")

// Queue is what a broker says of a queue. Whole numbers are int64.
type Queue struct {
	Name string
	Type string // "quorum", "classic", "stream"

	Arguments map[string]any
	Policy    map[string]any // that results from policy and operator policy

	PolicyName, OperatorPolicyName string // "" if there is none
}

// Setting is one value, and who has set it.
type Setting struct {
	Value any // nil if nobody has
	From  string
}

// Number is the value, and false if it is not a whole number.
func (s Setting) Number() (int64, bool) {
	n, ok := s.Value.(int64)
	return n, ok
}

// Get returns a setting by the name that policies use, such as "max-length". Of two numbers the
// lower one counts. Otherwise the argument counts, but for the overflow of a quorum queue, where
// the policy does (RabbitMQ 3.10 and 4.0).
func (q Queue) Get(name string) Setting {
	argument, fromArgument := q.Arguments["x-"+name]
	policy, fromPolicy := q.Policy[name]
	byArgument := Setting{argument, "its argument x-" + name}
	byPolicy := Setting{policy, q.policy()}
	switch {
	case !fromArgument && !fromPolicy:
		return Setting{}
	case !fromPolicy:
		return byArgument
	case !fromArgument:
		return byPolicy
	}
	a, isNumber := byArgument.Number()
	p, areNumbers := byPolicy.Number()
	if isNumber && areNumbers && p < a || name == "overflow" && q.Type == "quorum" {
		return byPolicy
	}
	return byArgument
}

func (q Queue) policy() string {
	switch {
	case q.OperatorPolicyName == "":
		return fmt.Sprintf("policy %q", q.PolicyName)
	case q.PolicyName == "":
		return fmt.Sprintf("operator policy %q", q.OperatorPolicyName)
	}
	return fmt.Sprintf("policy %q or operator policy %q", q.PolicyName, q.OperatorPolicyName)
}

// DeadLettersSafely returns whether a message that the queue dead-letters reaches its target at
// least once (https://www.rabbitmq.com/docs/quorum-queues#activating-at-least-once-dead-lettering).
func (q Queue) DeadLettersSafely() bool {
	return q.Type == "quorum" && q.Get("dead-letter-exchange").Value != nil &&
		q.Get("dead-letter-strategy").Value == "at-least-once" && q.Get("overflow").Value == "reject-publish"
}
