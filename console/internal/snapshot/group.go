package snapshot

import "time"

// Group is messages of one kind of failure, as those of errorqueue.Queue.Groups.
type Group struct {
	Key   string // "" for messages without a group
	Count int
	Gone  int       // rows of it that are no longer in the queue: see Reading.Settled
	First time.Time // when the earliest was parked, zero if unknown
	Last  time.Time

	// Of the first message.
	Reason, Error, Type, Consumer, Target string
	Mark                                  string

	Versions []string // of the app, in the order of their first message in the queue; 20 at most
}

// Groups is what a snapshot has counted.
type Groups struct {
	Groups   []Group // the largest first
	Messages int
	Other    int // messages of further groups, beyond the first 1,000
}

// Timeline is how many messages were parked when.
type Timeline struct {
	// Step is how much time a point covers: a minute, or more, up to years, if there would be too
	// many points.
	Step    time.Duration
	Points  []Point // by time, then by version; without those that are 0
	Undated int     // messages whose time is unknown
}

// Point is how many messages of one version were parked within a Step.
type Point struct {
	At      time.Time // the begin of the step, UTC
	Version string    // of the app, "" if unknown
	Count   int
}

// Count is how many messages have a value.
type Count struct {
	Value string
	Count int
	First time.Time // when the earliest was parked, zero if unknown
	Last  time.Time
}
