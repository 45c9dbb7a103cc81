package statsd

import (
	"strings"
	"sync"
	"unicode"

	"github.com/bunnicula-go/bunnicula/monitoring"
)

// names are the metrics of one consumer.
type names struct {
	timing, success, retry, err, timeout, fail, snooze, interrupted, parked string
}

func newNames(consumer string) *names {
	n := sanitise(consumer)
	return &names{
		timing:      n,
		success:     n + ".success",
		retry:       n + ".retry",
		err:         n + ".error",
		timeout:     n + ".timeout",
		fail:        n + ".fail",
		snooze:      n + ".snooze",
		interrupted: n + ".interrupted",
		parked:      n + ".parked",
	}
}

// catalogue keeps the names of each consumer, so that they are built once. If more consumers come
// and go than mostNames, it begins anew.
type catalogue struct {
	mu         sync.RWMutex
	byConsumer map[string]*names // guarded by mu
}

const mostNames = 4096

func (c *catalogue) of(d monitoring.Delivery) *names {
	consumer := d.Consumer
	if consumer == "" {
		consumer = d.Queue
	}
	c.mu.RLock()
	n := c.byConsumer[consumer]
	c.mu.RUnlock()
	if n != nil {
		return n
	}
	return c.add(consumer)
}

func (c *catalogue) add(consumer string) *names {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := c.byConsumer[consumer]; n != nil {
		return n // another goroutine has built them meanwhile
	}
	if c.byConsumer == nil || len(c.byConsumer) >= mostNames {
		c.byConsumer = map[string]*names{}
	}
	n := newNames(consumer)
	c.byConsumer[consumer] = n
	return n
}

// reserved are the characters that have a meaning in a StatsD packet.
const reserved = ":|@#"

func breaksProtocol(r rune) bool {
	return strings.ContainsRune(reserved, r) || unicode.IsSpace(r) || unicode.IsControl(r)
}

// sanitise replaces only characters that would break a packet. Dots stay and make levels, as in
// Clojure.
func sanitise(name string) string {
	if name == "" {
		return "_"
	}
	return strings.Map(func(r rune) rune {
		if breaksProtocol(r) {
			return '_'
		}
		return r
	}, name)
}
