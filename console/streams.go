package console

import (
	"net/http"
	"sync"
)

const (
	streamsEach  = 50  // answers with hints that a viewer at one address may have open
	streamsMost  = 500 // the same, of all viewers
	streamsAgain = "5" // seconds
)

// streams counts the answers that stay open, each of which takes a connection and a goroutine. The
// zero value is ready.
type streams struct {
	mu  sync.Mutex
	all int
	of  map[string]int // by viewer; none is 0
}

// enter counts one more, and returns what ends it. It says no if there are enough.
func (s *streams) enter(viewer string) (leave func(), ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all >= streamsMost || s.of[viewer] >= streamsEach {
		return nil, false
	}
	if s.of == nil {
		s.of = map[string]int{}
	}
	s.all++
	s.of[viewer]++
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.all--
		if s.of[viewer]--; s.of[viewer] == 0 {
			delete(s.of, viewer)
		}
	}, true
}

// viewer names who has a stream open. Several may share a name, and several an address.
func (a *answer) viewer() string { return a.user.Name + "\n" + a.from() }

// stream calls a page whose answer stays open, unless there are too many of these. The browser then
// asks for the page itself from time to time.
func (a *answer) stream(page func()) {
	leave, ok := a.console.streams.enter(a.viewer())
	if !ok {
		a.w.Header().Set("Retry-After", streamsAgain)
		a.problem(&problem{
			Status: http.StatusServiceUnavailable, Title: "Too many open pages",
			Text: "Too many pages wait for hints. This one asks each " + streamsAgain + " s instead.",
		})
		return
	}
	defer leave()
	page()
}
