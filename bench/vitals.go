package main

import (
	"bytes"
	"os"
	runtimemetrics "runtime/metrics"
	"strconv"
	"time"

	"github.com/bunnicula-go/bunnicula/bench/turn"
)

// vitals is one sample of this process. What is a rate covers the time since the sample before.
type vitals struct {
	Second      float64 // since the start of the load
	Live        float64 // MiB of the objects that the last garbage collection has found in use
	RSS         float64 // MiB, 0 where there is no /proc
	Goroutines  float64
	Collections float64 // of garbage, since the start of the process
	Handled     float64 // messages a second
	P99         float64 // ms from publish to handler
	Client      float64 // CPU of this process, in cores
	Broker      float64 `json:",omitempty"` // CPU of the broker, in cores; 0 if unknown
}

// pulse takes samples. One goroutine uses it.
type pulse struct {
	brokerPIDs []int
	began      time.Time
	last       reading
}

// reading holds the counters at one moment.
type reading struct {
	at             time.Time
	client, broker time.Duration
	handled        int64
}

func (p *pulse) read(handled int64) reading {
	r := reading{at: time.Now(), client: turn.OwnCPU(), handled: handled}
	r.broker, _ = turn.ProcessCPU(p.brokerPIDs)
	return r
}

func newPulse(brokerPIDs []int) *pulse {
	p := &pulse{brokerPIDs: brokerPIDs, began: time.Now()}
	p.last = p.read(0)
	return p
}

// take returns a sample. handled is how many messages were handled so far; times are those of the
// messages since the sample before, in milliseconds. It sorts them.
func (p *pulse) take(handled int64, times []float64) vitals {
	now := p.read(handled)
	since := now.at.Sub(p.last.at).Seconds()
	v := vitals{
		Second:  now.at.Sub(p.began).Seconds(),
		RSS:     residentSet(),
		Handled: float64(now.handled-p.last.handled) / since,
		P99:     percentile(times, 0.99),
		Client:  (now.client - p.last.client).Seconds() / since,
		Broker:  (now.broker - p.last.broker).Seconds() / since,
	}
	p.last = now
	v.Live, v.Goroutines, v.Collections = runtimeVitals()
	return v
}

// runtimeVitals forces no garbage collection, which would change what is measured.
func runtimeVitals() (live, goroutines, collections float64) {
	s := []runtimemetrics.Sample{
		{Name: "/gc/heap/live:bytes"}, {Name: "/sched/goroutines:goroutines"}, {Name: "/gc/cycles/total:gc-cycles"},
	}
	runtimemetrics.Read(s)
	return float64(s[0].Value.Uint64()) / mib, float64(s[1].Value.Uint64()), float64(s[2].Value.Uint64())
}

const mib = 1 << 20

// residentSet returns the RSS of this process in MiB, or 0 where Linux does not tell it.
func residentSet() float64 {
	text, err := os.ReadFile("/proc/self/statm")
	fields := bytes.Fields(text)
	if err != nil || len(fields) < 2 {
		return 0
	}
	pages, err := strconv.ParseInt(string(fields[1]), 10, 64)
	if err != nil {
		return 0
	}
	return float64(pages) * float64(os.Getpagesize()) / mib
}
