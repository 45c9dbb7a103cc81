package main

import (
	"context"
	"fmt"
	"sync/atomic"
)

// meter measures from the end of the warm-up to the last message.
type meter struct {
	warm, count int64
	brokerPIDs  []int

	n          atomic.Int64
	begin, end *usage
	began      chan struct{} // closed when begin is set
	done       chan struct{} // closed at the last message
}

func newMeter(warm, count int64, brokerPIDs []int) *meter {
	return &meter{warm: warm, count: count, brokerPIDs: brokerPIDs, began: make(chan struct{}), done: make(chan struct{})}
}

// start begins the measurement of a side without a warm-up. It must be called before the first
// tick.
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
		<-m.began // another goroutine may have counted faster
		m.end = used(m.brokerPIDs)
		close(m.done)
	}
}

// all returns the number of ticks.
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

// sample returns the measurement. Call it after wait.
func (m *meter) sample() sample { return sampleOf(m.begin, m.end, m.count) }
