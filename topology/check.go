package topology

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// checked returns the plan with its defaults filled in, its arguments and bindings copied and
// normalised, and without duplicate delays. The error joins what is wrong with the plan. The checks
// of a group look only at what earlier groups have found right.
func (p Plan) checked() (Plan, error) {
	p = p.withDefaults()
	for _, group := range [][]func(*Plan) error{
		{(*Plan).checkQueue, (*Plan).checkChoices, (*Plan).checkDelays},
		{(*Plan).checkNames, (*Plan).checkBindings, (*Plan).checkArguments, (*Plan).checkEmits},
		{(*Plan).checkScheme},
	} {
		var errs []error
		for _, check := range group {
			if err := check(&p); err != nil {
				errs = append(errs, fmt.Errorf("topology: queue %q: %w", p.Queue, err))
			}
		}
		if len(errs) > 0 {
			return Plan{}, errors.Join(errs...)
		}
	}
	return p, nil
}

func (p Plan) withDefaults() Plan {
	if p.Type == "" && p.Scheme == Bunnicula {
		p.Type = Classic
	} else if p.Type == "" {
		p.Type = Quorum
	}
	if p.ErrorQueue == "" {
		p.ErrorQueue = ErrorQueue(p.Queue)
	}
	return p
}

func (p *Plan) checkQueue() error {
	if err := checkName(p.Queue); err != nil {
		return fmt.Errorf("Queue: %w", err)
	}
	return nil
}

// checkChoices checks the fields that have a few valid values, and GroupSize.
func (p *Plan) checkChoices() error {
	switch {
	case p.Type != Quorum && p.Type != Classic:
		return fmt.Errorf("Type: %q is neither %q nor %q", p.Type, Quorum, Classic)
	case p.Mode < All || p.Mode > Never:
		return fmt.Errorf("Mode: %v is none of All, Satellites and Never", p.Mode)
	case p.Scheme < Standard || p.Scheme > Bunnicula:
		return fmt.Errorf("Scheme: %v is neither Standard nor Bunnicula", p.Scheme)
	case p.GroupSize < 0:
		return fmt.Errorf("GroupSize: %d is below zero", p.GroupSize)
	case p.GroupSize > 0 && p.Type != Quorum:
		return fmt.Errorf("GroupSize: %d replicas, but only quorum queues have replicas and Type is %q", p.GroupSize, p.Type)
	}
	return nil
}

func (p *Plan) checkEmits() error {
	for i, name := range p.Emits {
		if err := checkName(name); err != nil {
			return fmt.Errorf("Emits[%d]: %w", i, err)
		}
	}
	return nil
}

func (p *Plan) checkDelays() error {
	var delays []time.Duration
	for i, delay := range p.Delays {
		if err := checkDelay(delay); err != nil {
			return fmt.Errorf("Delays[%d]: %w", i, err)
		}
		if !slices.Contains(delays, delay) {
			delays = append(delays, delay)
		}
	}
	p.Delays = delays
	return nil
}

// checkNames checks the names that are derived from the queue's name. No two queues may have the
// same name.
func (p *Plan) checkNames() error {
	if err := checkName(p.ErrorQueue); err != nil {
		return fmt.Errorf("ErrorQueue %q: %w", p.ErrorQueue, err)
	}
	if name := QuarantineQueue(p.Queue); p.quarantines() {
		if err := checkName(name); err != nil {
			return fmt.Errorf("Queue: a name made from it is %q: %w", name, err)
		}
		if p.ErrorQueue == name {
			return fmt.Errorf("ErrorQueue: %q is the quarantine queue", p.ErrorQueue)
		}
	}
	if p.ErrorQueue == p.Queue {
		return fmt.Errorf("ErrorQueue: %q is the main queue", p.ErrorQueue)
	}
	for _, name := range p.retryNames() {
		if err := checkName(name); err != nil {
			return fmt.Errorf("Queue: a name made from it is %q: %w", name, err)
		}
		if p.ErrorQueue == name {
			return fmt.Errorf("ErrorQueue: %q is a retry queue", p.ErrorQueue)
		}
	}
	return nil
}

// retryNames returns the names of the retry queues and of their exchanges.
func (p *Plan) retryNames() []string {
	if p.Scheme == Bunnicula {
		return []string{bunniculaRetry(p.Queue), bunniculaRequeue(p.Queue)}
	}
	var names []string
	for _, delay := range p.Delays {
		names = append(names, RetryQueue(p.Queue, delay))
	}
	return names
}
