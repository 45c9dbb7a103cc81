package main

import (
	"slices"

	"github.com/bunnicula-go/bunnicula/bench/turn"
)

// summary is one metric of one side over all rounds.
type summary struct{ Median, Min, Max float64 }

// summarise is false if no round has the metric.
func summarise(rounds []turn.Sample, m turn.Metric) (summary, bool) {
	var values []float64
	for _, round := range rounds {
		if v, known := round[m]; known {
			values = append(values, v)
		}
	}
	if len(values) == 0 {
		return summary{}, false
	}
	return summary{Median: median(values), Min: slices.Min(values), Max: slices.Max(values)}, true
}

// median returns 0 for no values.
func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// percentile returns the smallest value v such that at least this share of all values is not above
// v. It sorts its argument.
func percentile(values []float64, share float64) float64 {
	if len(values) == 0 {
		return 0
	}
	slices.Sort(values)
	n := int(share * float64(len(values)))
	if float64(n) < share*float64(len(values)) {
		n++
	}
	return values[min(max(n, 1), len(values))-1]
}

// ratio compares a side with another.
type ratio struct {
	PerRound  float64 // the figure: the median of the rounds' own ratios
	OfMedians float64
}

// compareSides divides ours by theirs in each round. It is false if no round has both.
func compareSides(ours, theirs []turn.Sample, m turn.Metric) (ratio, bool) {
	var each, our, their []float64
	for i := range min(len(ours), len(theirs)) {
		a, known := ours[i][m]
		b, both := theirs[i][m]
		if !known || !both || b == 0 {
			continue
		}
		each, our, their = append(each, a/b), append(our, a), append(their, b)
	}
	if len(each) == 0 {
		return ratio{}, false
	}
	return ratio{PerRound: median(each), OfMedians: median(our) / median(their)}, true
}

// difference returns the median of ours minus theirs, round by round.
func difference(ours, theirs []turn.Sample, m turn.Metric) (float64, bool) {
	var each []float64
	for i := range min(len(ours), len(theirs)) {
		a, known := ours[i][m]
		b, both := theirs[i][m]
		if known && both {
			each = append(each, a-b)
		}
	}
	return median(each), len(each) > 0
}
