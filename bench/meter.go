package main

import (
	"context"
	"fmt"
	"sync/atomic"
)

// meter measures from the last message of the warm-up to the last of all.
type meter struct {
	warm, count int64
	brokerPIDs  []int

	n          atomic.Int64
	begin, end *usage
	began      chan struct{} // closed when begin is there
	done       chan struct{} // closed at the last message
}

func newMeter(warm, count int64, brokerPIDs []int) *meter {
	return &meter{warm: warm, count: count, brokerPIDs: brokerPIDs, began: make(chan struct{}), done: make(chan struct{})}
}

// start begins to measure, for who has no warm-up. It comes before the first tick.
func (m *meter) start() {
	m.begin = used(m.brokerPIDs)
	close(m.began)
}

// tick counts a message that is done.
func (m *meter) tick() {
	switch m.n.Add(1) {
	case m.warm:
		m.start()
	case m.warm + m.count:
		<-m.began // others may be faster than who looks
		m.end = used(m.brokerPIDs)
		close(m.done)
	}
}

// all is how many ticks there will be.
func (m *meter) all() int64 { return m.warm + m.count }

// wait waits for the last message.
func (m *meter) wait(ctx context.Context) error {
	select {
	case <-m.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%d of %d messages are done: %w", m.n.Load(), m.all(), context.Cause(ctx))
	}
}

// sample is what was measured. Call it after wait.
func (m *meter) sample() sample { return sampleOf(m.begin, m.end, m.count) }
