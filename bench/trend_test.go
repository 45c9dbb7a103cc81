package main

import (
	"errors"
	"math"
	"testing"
	"time"
)

func TestTheSlopeIsThatOfTheLineThroughTheSamples(t *testing.T) {
	for _, tt := range []struct {
		name string
		x, y []float64
		want float64
	}{
		{"nothing", nil, nil, 0},
		{"one sample", []float64{3}, []float64{7}, 0},
		{"twice at one time", []float64{3, 3}, []float64{7, 9}, 0},
		{"a line", []float64{1, 2, 4}, []float64{12, 14, 18}, 2},
		{"a falling line", []float64{0, 10}, []float64{5, 0}, -0.5},
		{"noise on both sides", []float64{0, 1, 2, 3}, []float64{1, -1, -1, 1}, 0},
		{"least squares", []float64{0, 1, 2}, []float64{0, 3, 3}, 1.5},
	} {
		if got := slope(tt.x, tt.y); math.Abs(got-tt.want) > 1e-9 {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

// lasted returns a run of so long, whose heap grows by so much in an hour. At its start it has a
// mountain.
func lasted(d time.Duration, growth float64) *memoryRun {
	m := &memoryRun{Rate: steadyRate, Seconds: d.Seconds(), Warm: d.Seconds() / 6}
	for s := 10.0; s <= d.Seconds(); s += 10 {
		v := vitals{Second: s, Live: 5 + growth*s/3600, RSS: 20 + 2*growth*s/3600, Goroutines: 50, P99: 3, Handled: 5000}
		if s <= m.Warm {
			v.Live, v.RSS = 500, 900
		}
		m.Samples = append(m.Samples, v)
	}
	m.Trend = trendOf(m.warmed())
	return m
}

func TestTheTrendIsByHourAndLeavesTheWarmUpOut(t *testing.T) {
	got := lasted(time.Hour, 4).Trend
	if math.Abs(got.Live-4) > 1e-6 || math.Abs(got.RSS-8) > 1e-6 || math.Abs(got.Goroutines) > 1e-6 {
		t.Errorf("%+v, want 4, 8 and 0", got)
	}
}

func TestOnlyALongRunWhoseHeapGrowsHasFailed(t *testing.T) {
	for _, tt := range []struct {
		d      time.Duration
		growth float64
		want   error
	}{
		{time.Hour, growthBound + 0.1, errGrows},
		{time.Hour, growthBound - 0.1, nil},
		{time.Hour, -20, nil},
		{longEnough, 100, errGrows},
		{longEnough - time.Minute, 100, nil},
	} {
		if err := lasted(tt.d, tt.growth).judge(); !errors.Is(err, tt.want) {
			t.Errorf("%v, %v MiB an hour: %v, want %v", tt.d, tt.growth, err, tt.want)
		}
	}
}
