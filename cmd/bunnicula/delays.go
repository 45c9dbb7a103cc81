package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/inspect"
	"github.com/bunnicula-go/bunnicula/topology"
)

// namedDelays is the help text of --delays.
const namedDelays = "delays of the retry queues of queues that no file names:\n10s,1m, or ladder for those of topology.Ladder"

// delayList is a flag for the delays of retry queues: 10s,1m, or ladder for those of
// topology.Ladder. It may be given several times.
type delayList struct {
	orNone bool // immutable: "none" is a value too
	given  bool
	times  []time.Duration // in the order in which they are given, without repetitions
}

// Set reads the flag.
func (l *delayList) Set(text string) error {
	l.given = true
	if text == "none" && l.orNone {
		return nil
	}
	for word := range strings.SplitSeq(text, ",") {
		if word = strings.TrimSpace(word); word == "ladder" {
			l.add(topology.Ladder...)
			continue
		}
		delay, err := time.ParseDuration(word)
		if err != nil || inspect.CheckDelay(delay) != nil {
			return fmt.Errorf("%q is not a delay, want %s", word, l.wants())
		}
		l.add(delay)
	}
	return nil
}

func (l *delayList) wants() string {
	const some = "whole milliseconds above 0 such as 10s,1m, or ladder"
	if l.orNone {
		return some + ", or none"
	}
	return some
}

func (l *delayList) add(delays ...time.Duration) {
	for _, d := range delays {
		if !slices.Contains(l.times, d) {
			l.times = append(l.times, d)
		}
	}
}

// String returns the flag as it can be given.
func (l *delayList) String() string {
	var words []string
	for _, d := range l.times {
		words = append(words, topology.FormatDelay(d))
	}
	return strings.Join(words, ",")
}

// Type is what a help text shows in the place of a value.
func (*delayList) Type() string { return "delays" }
