package main

import (
	"slices"
	"testing"

	"github.com/bunnicula-go/bunnicula/bench/turn"
)

func rounds(m turn.Metric, values ...float64) []turn.Sample {
	all := make([]turn.Sample, len(values))
	for i, v := range values {
		all[i] = turn.Sample{m: v}
	}
	return all
}

func TestTheMedianOfAnEvenNumberIsBetweenTheTwoInTheMiddle(t *testing.T) {
	for _, tt := range []struct {
		values []float64
		want   float64
	}{
		{nil, 0},
		{[]float64{3}, 3},
		{[]float64{9, 1, 5}, 5},
		{[]float64{8, 1, 100, 4}, 6},
	} {
		before := slices.Clone(tt.values)
		if got := median(tt.values); got != tt.want {
			t.Errorf("median of %v is %v, want %v", tt.values, got, tt.want)
		}
		if !slices.Equal(before, tt.values) {
			t.Errorf("median changed its argument: %v", tt.values)
		}
	}
}

func TestAPercentileIsOneOfTheValues(t *testing.T) {
	hundred := make([]float64, 100)
	for i := range hundred {
		hundred[i] = float64(100 - i)
	}
	for _, tt := range []struct {
		values      []float64
		share, want float64
	}{
		{nil, 0.99, 0},
		{[]float64{7}, 0.5, 7},
		{hundred, 0.99, 99},
		{hundred, 0.50, 50},
		{hundred, 1, 100},
		{[]float64{1, 2, 3}, 0.99, 3},
		{[]float64{3, 1, 2}, 0, 1},
	} {
		if got := percentile(slices.Clone(tt.values), tt.share); got != tt.want {
			t.Errorf("percentile %v of %d values is %v, want %v", tt.share, len(tt.values), got, tt.want)
		}
	}
}

func TestTheFigureIsTheMedianOfTheRoundsOwnRatios(t *testing.T) {
	// The machine was slow for both sides in the second round.
	got, known := compareSides(rounds(turn.Rate, 200, 20, 220), rounds(turn.Rate, 100, 10, 100), turn.Rate)
	if !known || got.PerRound != 2 || got.OfMedians != 2 {
		t.Errorf("got %+v, %v, want 2 and 2", got, known)
	}
	// The machine was slow for only one side in the third round.
	got, _ = compareSides(rounds(turn.Rate, 200, 200, 50), rounds(turn.Rate, 100, 50, 100), turn.Rate)
	if got.PerRound != 2 || got.OfMedians != 2 {
		t.Errorf("got %+v, want 2 and 2", got)
	}
	got, _ = compareSides(rounds(turn.Rate, 10, 90, 80), rounds(turn.Rate, 10, 30, 100), turn.Rate)
	if got.PerRound != 1 || got.OfMedians != 80.0/30 {
		t.Errorf("got %+v, want 1 and 2.67", got)
	}
}

func TestARoundThatLacksAMetricIsLeftOut(t *testing.T) {
	ours := []turn.Sample{{turn.Rate: 10}, {}, {turn.Rate: 30}}
	theirs := []turn.Sample{{turn.Rate: 0}, {turn.Rate: 10}, {turn.Rate: 10}}
	if got, known := compareSides(ours, theirs, turn.Rate); !known || got.PerRound != 3 {
		t.Errorf("got %+v, %v, want 3", got, known)
	}
	if _, known := compareSides(ours, theirs, turn.BrokerCPU); known {
		t.Error("a ratio of what nobody measured")
	}
	if got, known := difference(ours, theirs, turn.Rate); !known || got != 15 { // 10 and 20
		t.Errorf("difference %v, %v, want 15", got, known)
	}
	if _, known := summarise(ours, turn.P99); known {
		t.Error("a summary of what nobody measured")
	}
	if got, _ := summarise(ours, turn.Rate); got != (summary{Median: 20, Min: 10, Max: 30}) {
		t.Errorf("summary %+v", got)
	}
}
