package turn

import (
	"context"
	"fmt"
	"sync/atomic"
)

// Meter measures from the end of the warm-up to the last message.
type Meter struct {
	warm, count int64
	brokerPIDs  []int

	n          atomic.Int64
	begin, end *usage
	began      chan struct{} // closed when begin is set
	done       chan struct{} // closed at the last message
}

// NewMeter returns a meter for so many messages. The CPU of the broker's processes is measured too.
func NewMeter(warm, count int64, brokerPIDs []int) *Meter {
	return &Meter{warm: warm, count: count, brokerPIDs: brokerPIDs, began: make(chan struct{}), done: make(chan struct{})}
}

// Start begins the measurement of a side without a warm-up. It must be called before the first
// Tick.
func (m *Meter) Start() {
	m.begin = used(m.brokerPIDs)
	close(m.began)
}

// Tick counts a message that is done.
func (m *Meter) Tick() {
	switch m.n.Add(1) {
	case m.warm:
		m.Start()
	case m.warm + m.count:
		<-m.began // another goroutine may have counted faster
		m.end = used(m.brokerPIDs)
		close(m.done)
	}
}

// All returns the number of ticks.
func (m *Meter) All() int64 { return m.warm + m.count }

// Wait waits for the last message.
func (m *Meter) Wait(ctx context.Context) error {
	select {
	case <-m.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%d of %d messages are done: %w", m.n.Load(), m.All(), context.Cause(ctx))
	}
}

// Sample returns the measurement. Call it after Wait.
func (m *Meter) Sample() Sample { return sampleOf(m.begin, m.end, m.count) }
