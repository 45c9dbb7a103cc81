package consumer

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/bunnicula-go/bunnicula/consumer/internal/decide"
	"github.com/bunnicula-go/bunnicula/internal/effective"
	"github.com/bunnicula-go/bunnicula/internal/foreign"
	"github.com/bunnicula-go/bunnicula/internal/route"
	"github.com/bunnicula-go/bunnicula/internal/wire"
	"github.com/bunnicula-go/bunnicula/topology"
)

// brokerTimeout is how long RabbitMQ by default lets a delivery stay unacked before it closes the
// channel (consumer_timeout, https://www.rabbitmq.com/docs/consumers#acknowledgement-timeout).
const brokerTimeout = 30 * time.Minute

// maxTimeout bounds Timeout and Grace, whose sum must not overflow. For longer handlers there is
// NoTimeout.
const maxTimeout = 30 * 24 * time.Hour

// resolve returns the Spec with its defaults filled in, and its topology. It checks every field.
// The error has a line for each that is wrong, which names the consumer, the field and the value.
func (s Spec) resolve() (Spec, topology.Topology, error) {
	s.Name = cmp.Or(s.Name, s.Queue)
	t, errs := s.check()
	for i, err := range errs {
		errs[i] = fmt.Errorf("consumer %q: %w", s.Name, err)
	}
	return s, t, errors.Join(errs...)
}

// check checks every field of s and fills in the defaults. It returns what is wrong.
func (s *Spec) check() (topology.Topology, []error) {
	shape := slices.Concat(s.checkQueue(), s.checkRetries(), s.checkChoices()) // what topology.New looks at too
	errs := slices.Concat(s.checkMember(), s.checkHandler(), shape, s.checkTimes(), s.checkCapacity())
	if len(shape) > 0 {
		return topology.Topology{}, errs
	}
	t, err := topology.New(s.plan())
	if err != nil {
		var several interface{ Unwrap() []error }
		if errors.As(err, &several) {
			return t, append(errs, several.Unwrap()...)
		}
		return t, append(errs, err)
	}
	if limit, ok := t.Queues[0].Arguments["x-delivery-limit"].(int64); ok && s.guarded() && int64(s.MaxCrashes) >= limit {
		errs = append(errs, fmt.Errorf("MaxCrashes is %d, want less than the queue's x-delivery-limit, %d", s.MaxCrashes, limit))
	}
	return t, errs
}

func (s *Spec) checkQueue() []error {
	if strings.TrimSpace(s.Queue) == "" {
		return []error{fmt.Errorf("Queue is %q, want a name", s.Queue)}
	}
	return nil
}

func (s *Spec) checkHandler() (errs []error) {
	if s.Handler == nil {
		errs = append(errs, errors.New("Handler is nil"))
	} else if err := s.Handler.Check(); err != nil {
		errs = append(errs, fmt.Errorf("Handler: %w", err))
	}
	for i, m := range s.Use {
		if m == nil {
			errs = append(errs, fmt.Errorf("Use[%d] is nil", i))
		}
	}
	return errs
}

func (s *Spec) checkRetries() (errs []error) {
	switch {
	case s.MaxRetries < NoRetries:
		errs = append(errs, fmt.Errorf("MaxRetries is %d, want 1 or more, 0 for %d, or NoRetries", s.MaxRetries, defaultMaxRetries))
	case s.MaxRetries == NoRetries:
		s.MaxRetries = 0
	case s.MaxRetries == 0:
		s.MaxRetries = defaultMaxRetries
	}
	errs = append(errs, checkDelays("Backoff", s.Backoff)...)
	if len(s.Backoff) == 0 {
		s.Backoff = []time.Duration{defaultBackoff}
	}
	if s.MaxCrashes = cmp.Or(s.MaxCrashes, defaultMaxCrashes); s.MaxCrashes < 3 || s.MaxCrashes > 99 {
		errs = append(errs, fmt.Errorf("MaxCrashes is %d, want 3 to 99", s.MaxCrashes))
	}
	return append(errs, checkDelays("Delays", s.Delays)...)
}

func checkDelays(field string, delays []time.Duration) (errs []error) {
	for i, d := range delays {
		if d < time.Millisecond || d > topology.MaxDelay || d%time.Millisecond != 0 {
			errs = append(errs, fmt.Errorf("%s[%d] is %s, want whole milliseconds from 1ms to %s", field, i, d, topology.MaxDelay))
		}
	}
	return errs
}

func (s *Spec) checkTimes() (errs []error) {
	if s.Timeout != 0 && s.Timeout != NoTimeout && (s.Timeout < time.Millisecond || s.Timeout > maxTimeout) {
		errs = append(errs, fmt.Errorf("Timeout is %s, want 1ms to %s, 0 for %s, or NoTimeout", s.Timeout, maxTimeout, DefaultTimeout))
	}
	if s.Grace != 0 && (s.Grace < time.Millisecond || s.Grace > maxTimeout) {
		errs = append(errs, fmt.Errorf("Grace is %s, want 1ms to %s, or 0 for %s", s.Grace, maxTimeout, DefaultGrace))
	}
	s.Timeout, s.Grace = cmp.Or(s.Timeout, DefaultTimeout), cmp.Or(s.Grace, DefaultGrace)
	return errs
}

func (s *Spec) checkCapacity() []error {
	if s.Concurrency < 0 || s.Concurrency > 65535 {
		return []error{fmt.Errorf("Concurrency is %d, want 1 to 65535", s.Concurrency)}
	}
	s.Concurrency = cmp.Or(s.Concurrency, DefaultConcurrency)
	s.Prefetch = cmp.Or(s.Prefetch, min(max(DefaultPrefetch, 2*s.Concurrency), 65535))
	if s.Prefetch < s.Concurrency || s.Prefetch > 65535 {
		return []error{fmt.Errorf("Prefetch is %d, want at least the Concurrency, %d, and at most 65535", s.Prefetch, s.Concurrency)}
	}
	return nil
}

func (s *Spec) checkChoices() (errs []error) {
	if s.WhenStuck != RetryNow && s.WhenStuck != Hold {
		errs = append(errs, fmt.Errorf("WhenStuck is %d, want RetryNow or Hold", s.WhenStuck))
	}
	if s.Redeclare != RedeclareOn && s.Redeclare != RedeclareOff {
		errs = append(errs, fmt.Errorf("Redeclare is %d, want RedeclareOn or RedeclareOff", s.Redeclare))
	}
	if s.Priority < -128 || s.Priority > 127 {
		errs = append(errs, fmt.Errorf("Priority is %d, want -128 to 127", s.Priority))
	}
	if s.Declare < topology.All || s.Declare > topology.Never {
		errs = append(errs, fmt.Errorf("Declare is %d, want topology.All, Satellites or Never", s.Declare))
	}
	if s.QueueType != "" && s.QueueType != topology.Quorum && s.QueueType != topology.Classic {
		errs = append(errs, fmt.Errorf("QueueType is %q, want topology.Quorum or Classic", s.QueueType))
	}
	return errs
}

// hearing is how long a message that has crashed too often goes round the quarantine queue.
// Meanwhile a process that only lost its connection over the message can clear it.
const hearing = 10 * time.Second

var hostname = func() string {
	name, err := os.Hostname()
	if err != nil {
		return "unknown"
	}
	return foreign.Cut(name, wire.MaxName)
}()

// rules returns what decisions need of a resolved Spec.
func (s *Spec) rules(t topology.Topology) decide.Rules {
	r := decide.Rules{
		Consumer: s.Name, Queue: s.Queue, MaxRetries: s.MaxRetries, Backoff: s.Backoff, MaxCrashes: s.MaxCrashes,
		Topology: t, KeepsPlace: s.SingleActive, Rejects: deadLettersSafely(t), Hearing: hearing, Host: hostname,
	}
	if s.guarded() {
		r.Quarantine = route.Quarantine(t)
	}
	return r
}

// deadLettersSafely returns whether a rejected message is known to reach the error queue at least
// once, as far as its arguments tell. They are known of a main queue that the consumer declares.
func deadLettersSafely(t topology.Topology) bool {
	for _, q := range t.Queues {
		if q.Role == topology.RoleMain {
			kind, _ := q.Arguments["x-queue-type"].(string)
			return effective.Queue{Type: kind, Arguments: q.Arguments}.DeadLettersSafely()
		}
	}
	return false
}

// wrapped returns the Handler with its middleware.
func (s *Spec) wrapped() (Handler, error) {
	h := s.Handler
	for i := len(s.Use) - 1; i >= 0; i-- {
		var err error
		if h, err = wrap(s.Use[i], h); err != nil {
			return nil, fmt.Errorf("consumer %q: Use[%d] %w", s.Name, i, err)
		}
	}
	return h, nil
}

// wrap calls a middleware. Its panic is an error.
func wrap(m Middleware, h Handler) (wrapped Handler, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panicked: %v", p)
		}
	}()
	if wrapped = m(h); wrapped == nil {
		return nil, errors.New("made a nil Handler")
	}
	return wrapped, nil
}

// Plan returns what the consumer needs to have declared. It needs no broker. topologyfile.Write
// writes plans to a file, for tools. The error names the field of the Spec that is wrong, and its
// value.
func (s Spec) Plan() (topology.Plan, error) {
	s, _, err := s.resolve()
	return s.plan(), err
}

func (s Spec) plan() topology.Plan {
	return topology.Plan{
		Queue: s.Queue, Type: s.QueueType, Delays: s.delays(), ErrorQueue: s.ErrorQueue, Bindings: s.Bindings,
		Arguments: s.Arguments, GroupSize: s.GroupSize, SingleActive: s.SingleActive, Mode: s.Declare, Scheme: s.Scheme,
		Emits: s.Handler.emits(),
	}
}

// delays returns the delays of Backoff and Delays, each once.
func (s Spec) delays() []time.Duration {
	var all []time.Duration
	for _, d := range append(slices.Clone(s.Backoff), s.Delays...) {
		if !slices.Contains(all, d) {
			all = append(all, d)
		}
	}
	return all
}

// guarded returns whether the crash guard is on. The queue must count deliveries, and setting
// messages aside must not break an order that the user asked for.
func (s *Spec) guarded() bool {
	return s.QueueType != topology.Classic && s.Scheme != topology.Bunnicula && !s.SingleActive
}

// slowest returns how long the last message of a full prefetch may stay unacked. It is 0 with
// NoTimeout.
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
