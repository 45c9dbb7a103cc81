package consumer

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/bunnicula-go/bunnicula/topology"
)

// brokerTimeout is how long RabbitMQ lets a delivery go unacked before it closes
// the channel (consumer_timeout, https://www.rabbitmq.com/docs/consumers#acknowledgement-timeout).
const brokerTimeout = 30 * time.Minute

// maxTimeout bounds Timeout and Grace, whose sum must not overflow. What takes longer has NoTimeout.
const maxTimeout = 30 * 24 * time.Hour

// resolve fills in the defaults and checks every field.
func (s Spec) resolve() (Spec, topology.Topology, error) {
	name := s.Name
	if name == "" {
		name = s.Queue
	}
	bad := func(format string, args ...any) (Spec, topology.Topology, error) {
		return s, topology.Topology{}, fmt.Errorf("consumer %q: %w", name, fmt.Errorf(format, args...))
	}
	s.Name = name
	if strings.TrimSpace(s.Queue) == "" {
		return bad("Queue is %q, want a name", s.Queue)
	}
	if s.Handler == nil {
		return bad("Handler is nil")
	}
	for i, m := range s.Use {
		if m == nil {
			return bad("Use[%d] is nil", i)
		}
	}
	if s.MaxRetries < NoRetries {
		return bad("MaxRetries is %d, want 1 or more, 0 for %d, or NoRetries", s.MaxRetries, DefaultMaxRetries)
	}
	if s.MaxRetries == 0 {
		s.MaxRetries = DefaultMaxRetries
	} else if s.MaxRetries == NoRetries {
		s.MaxRetries = 0
	}
	for _, f := range []struct {
		name   string
		delays []time.Duration
	}{{"Backoff", s.Backoff}, {"Delays", s.Delays}} {
		for i, d := range f.delays {
			if d < time.Millisecond || d > topology.MaxDelay || d%time.Millisecond != 0 {
				return bad("%s[%d] is %s, want whole milliseconds from 1ms to %s", f.name, i, d, topology.MaxDelay)
			}
		}
	}
	if len(s.Backoff) == 0 {
		s.Backoff = []time.Duration{DefaultBackoff}
	}
	if s.Timeout != 0 && s.Timeout != NoTimeout && (s.Timeout < time.Millisecond || s.Timeout > maxTimeout) {
		return bad("Timeout is %s, want 1ms to %s, 0 for %s, or NoTimeout", s.Timeout, maxTimeout, DefaultTimeout)
	}
	if s.Timeout == 0 {
		s.Timeout = DefaultTimeout
	}
	if s.Grace != 0 && (s.Grace < time.Millisecond || s.Grace > maxTimeout) {
		return bad("Grace is %s, want 1ms to %s, or 0 for %s", s.Grace, maxTimeout, DefaultGrace)
	}
	if s.Grace == 0 {
		s.Grace = DefaultGrace
	}
	if s.WhenStuck != RetryNow && s.WhenStuck != Hold {
		return bad("WhenStuck is %d, want RetryNow or Hold", s.WhenStuck)
	}
	if s.Redeclare != RedeclareOn && s.Redeclare != RedeclareOff {
		return bad("Redeclare is %d, want RedeclareOn or RedeclareOff", s.Redeclare)
	}
	if s.Concurrency < 0 || s.Concurrency > 65535 {
		return bad("Concurrency is %d, want 1 to 65535", s.Concurrency)
	}
	if s.Concurrency == 0 {
		s.Concurrency = DefaultConcurrency
	}
	if s.Prefetch == 0 {
		s.Prefetch = min(max(DefaultPrefetch, 2*s.Concurrency), 65535)
	}
	if s.Prefetch < s.Concurrency || s.Prefetch > 65535 {
		return bad("Prefetch is %d, want at least the Concurrency, %d, and at most 65535", s.Prefetch, s.Concurrency)
	}
	if s.MaxCrashes == 0 {
		s.MaxCrashes = DefaultMaxCrashes
	}
	if s.MaxCrashes < 3 || s.MaxCrashes > 99 {
		return bad("MaxCrashes is %d, want 3 to 99", s.MaxCrashes)
	}
	if s.Priority < -128 || s.Priority > 127 {
		return bad("Priority is %d, want -128 to 127", s.Priority)
	}
	if s.Declare < topology.All || s.Declare > topology.Never {
		return bad("Declare is %d, want topology.All, Satellites or Never", s.Declare)
	}
	if s.QueueType != "" && s.QueueType != topology.Quorum && s.QueueType != topology.Classic {
		return bad("QueueType is %q, want topology.Quorum or Classic", s.QueueType)
	}
	t, err := topology.New(s.plan())
	if err != nil {
		return bad("%w", err)
	}
	if limit, ok := t.Queues[0].Arguments["x-delivery-limit"].(int64); ok && s.guarded() && int64(s.MaxCrashes) >= limit {
		return bad("MaxCrashes is %d, want less than the queue's x-delivery-limit, %d", s.MaxCrashes, limit)
	}
	return s, t, nil
}

// Plan is what the consumer needs to have declared, or what is wrong with the Spec. It takes no
// broker. topologyfile.Write writes plans to a file, for tools.
func (s Spec) Plan() (topology.Plan, error) {
	s, _, err := s.resolve()
	return s.plan(), err
}

func (s Spec) plan() topology.Plan {
	return topology.Plan{
		Queue: s.Queue, Type: s.QueueType, Delays: s.delays(), ErrorQueue: s.ErrorQueue, Bindings: s.Bindings,
		Arguments: s.Arguments, GroupSize: s.GroupSize, SingleActive: s.SingleActive, Mode: s.Declare, Scheme: s.Scheme,
	}
}

// delays are all that a message can be made to wait, each once.
func (s Spec) delays() []time.Duration {
	var all []time.Duration
	for _, d := range append(slices.Clone(s.Backoff), s.Delays...) {
		if !slices.Contains(all, d) {
			all = append(all, d)
		}
	}
	return all
}

// guarded says whether the crash guard works: the queue must count deliveries, and
// giving messages back must not break an order that was asked for.
func (s *Spec) guarded() bool {
	return s.QueueType != topology.Classic && s.Scheme != topology.Bunnicula && !s.SingleActive
}

// slowest is how long the last of a full prefetch may take to be acked.
func (s Spec) slowest() time.Duration {
	if s.Timeout == NoTimeout {
		return 0
	}
	rounds := int64(s.Prefetch+s.Concurrency-1) / int64(s.Concurrency)
	each := int64(s.Timeout + s.Grace)
	if each > math.MaxInt64/rounds {
		return math.MaxInt64
	}
	return time.Duration(rounds * each)
}
