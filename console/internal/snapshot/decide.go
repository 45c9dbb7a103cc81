package snapshot

import "time"

const (
	askEvery    = 5 * time.Second  // for the depth of a queue that somebody watches
	lookLasts   = time.Minute      // a look at a page counts as watching for so long
	unwatched   = 30 * time.Minute // until all of a queue is dropped
	keptAfter   = 5 * time.Minute  // for which a snapshot outlives the next one
	shortestGap = time.Minute      // between passes that begin by themselves
	gapFactor   = 20               // and no less than so many times what the last pass took
)

// state is what is known of a queue when something is to be decided.
type state struct {
	now     time.Time
	wanted  bool      // somebody asked for a pass
	viewers int       // that watch
	looked  time.Time // when somebody looked last, or stopped watching
	byHand  bool
	busy    bool // an operation runs
	auto    int  // Config.AutoDepth

	depth   int       // -1 is unknown
	depthAt time.Time // zero if it was never asked

	passes int           // that are over
	of     int           // depth that the last pass has left, -1 is unknown
	ended  time.Time     // of the last pass
	took   time.Duration // of the last pass
}

// deed is what a Reading does next.
type deed int

const (
	rest deed = iota
	ask       // for the depth
	pass
	leave // and drop all
)

// decide returns what is to be done now, and how long to rest at most otherwise.
func decide(s state) (deed, time.Duration) {
	idle := s.now.Sub(s.looked)
	switch {
	case s.wanted:
		return pass, 0
	case s.viewers == 0 && idle >= unwatched:
		return leave, 0
	case s.viewers == 0 && idle >= lookLasts:
		return rest, unwatched - idle
	case s.depthAt.IsZero() || s.now.Sub(s.depthAt) >= askEvery:
		return ask, 0
	case s.begins():
		return pass, 0
	}
	return rest, askEvery - s.now.Sub(s.depthAt)
}

// begins says whether a pass begins by itself, while somebody watches.
func (s state) begins() bool {
	if s.byHand || s.busy || s.depth < 0 {
		return false
	}
	if s.passes == 0 {
		return s.depth <= s.auto
	}
	return s.depth != s.of && s.now.Sub(s.ended) >= max(shortestGap, gapFactor*s.took)
}
