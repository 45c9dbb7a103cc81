package console

import (
	"slices"
	"sync"
	"time"

	"github.com/bunnicula-go/bunnicula/consumer"
)

// here is what this process has of a consumer.
type here struct {
	Consumers int
	Running   int
	Stuck     int
	Limit     int
	Paused    bool   // by the app, or from a console
	Ordered   bool   // an order pauses it
	Why       string // of the order
	Err       string
	Pause     *pauseRow // nil unless somebody has paused it by this console
}

// pauseRow says who has paused a consumer in this process.
type pauseRow struct {
	At      moment
	By, Why string
}

// pause is that somebody has paused consumers of this process.
type pause struct {
	at      time.Time
	by, why string
}

// pauses remembers who has paused what in this process.
type pauses struct {
	mu  sync.Mutex
	all map[string]pause // by the queue of the page
}

func (p *pauses) set(queue string, one pause) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.all == nil {
		p.all = map[string]pause{}
	}
	p.all[queue] = one
}

func (p *pauses) forget(queue string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.all, queue)
}

func (p *pauses) of(queue string) (one pause, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	one, ok = p.all[queue]
	return one, ok
}

// groupOf returns the consumers of this process that read a queue, or partitions of it.
func (a *answer) groupOf(queue string) []*consumer.Consumer {
	group := a.console.cfg.Consumers
	if group == nil {
		return nil
	}
	return slices.DeleteFunc(group.Consumers(), func(c *consumer.Consumer) bool { return !ofQueue(queue, c.Health().Queue) })
}

// here says what this process has of a consumer, nil if nothing.
func (a *answer) here(v view, queue string) *here {
	all := a.groupOf(queue)
	if len(all) == 0 {
		return nil
	}
	d := &here{Consumers: len(all)}
	waits := false
	for _, c := range all {
		h := c.Health()
		d.Running, d.Stuck, d.Limit = d.Running+h.Running, d.Stuck+h.Stuck, d.Limit+h.Limit
		waits = waits || h.Paused
		d.Paused = d.Paused || h.Paused && !h.PausedByOrder
		if h.PausedByOrder {
			d.Ordered, d.Why = true, h.OrderedWhy
		}
		if h.Err != nil {
			d.Err = h.Err.Error()
		}
	}
	one, paused := a.console.pauses.of(queue)
	if paused && !waits { // the app has resumed it
		a.console.pauses.forget(queue)
	}
	if paused && waits {
		d.Paused = true
		d.Pause = &pauseRow{At: v.Time(one.at), By: one.by, Why: one.why}
	}
	return d
}
