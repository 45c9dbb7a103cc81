// Package turn is one side's turn in the benchmark, in a process of its own. The process reads an
// order, does the side's work, measures it and writes a report. Two programs have sides: bench, and
// bench/others.
//
//	order.go           what both ends agree on
//	take.go            the process: order in, report out
//	run.go             what a side works with
//	meter.go usage.go  what was used between two moments
//	metric.go          names of what is measured
//	body.go            the payload of messages
//	others.go          names of the sides that bench/others has
//	profile.go         the profiles of a turn
package turn
