package console

import (
	"fmt"
	"net/http"
	"time"
)

const (
	hintFor   = 10 * time.Minute // of one answer; the browser asks again
	heartbeat = 20 * time.Second // so that proxies keep the answer open
)

// events hints that a reading has changed, as server-sent events. They say the version and no more:
// the browser then asks for what it shows.
func (a *answer) events(queue string) {
	r, ok := a.open(queue)
	if !ok {
		return
	}
	hint(a, r.Watch, func(version int) (string, bool) { return fmt.Sprintf("snapshot %d", version), true })
}

// operationEvents hints that an operation has changed, at most once a second, until it is over.
func (a *answer) operationEvents(id string) {
	if _, ok := a.state(id, See); !ok {
		return
	}
	runner := a.console.runner
	hint(a, func() (<-chan struct{}, func()) { return slowly(runner.Watch(id)) }, func(struct{}) (string, bool) {
		s, known := runner.State(id)
		return "op " + id, known && !s.Status.Over()
	})
}

const hintEvery = time.Second

// slowly passes on what a channel tells, at most once in hintEvery. What comes in between is told
// at the end of it.
func slowly(changes <-chan struct{}, stop func()) (<-chan struct{}, func()) {
	slow, end := make(chan struct{}), make(chan struct{})
	go func() {
		defer stop()
		for {
			select {
			case <-changes:
			case <-end:
				return
			}
			select {
			case slow <- struct{}{}:
			case <-end:
				return
			}
			select {
			case <-time.After(hintEvery):
			case <-end:
				return
			}
		}
	}()
	return slow, func() { close(end) }
}

// hint sends what a watch tells, as server-sent events. say makes the text of one, and says no if
// it is the last.
func hint[T any](a *answer, watch func() (<-chan T, func()), say func(T) (string, bool)) {
	out := http.NewResponseController(a.w)
	_ = out.SetWriteDeadline(time.Now().Add(hintFor + time.Minute)) // the server may have none
	a.w.Header().Set("Content-Type", "text/event-stream")
	a.w.Header().Set("X-Accel-Buffering", "no")
	a.w.WriteHeader(http.StatusOK)
	if a.r.Method == http.MethodHead {
		return
	}
	changes, stop := watch()
	defer stop()
	end, beat := time.NewTimer(hintFor), time.NewTicker(heartbeat)
	defer end.Stop()
	defer beat.Stop()
	_, err := fmt.Fprint(a.w, "retry: 2000\n\n")
	for more := true; err == nil; {
		if err = out.Flush(); err != nil || !more {
			return
		}
		select {
		case change, open := <-changes:
			if !open {
				return
			}
			var text string
			text, more = say(change)
			_, err = fmt.Fprintf(a.w, "data: %s\n\n", text)
		case <-beat.C:
			_, err = fmt.Fprint(a.w, ": \n\n")
		case <-end.C:
			return
		case <-a.r.Context().Done():
			return
		case <-a.console.closing.Done():
			return
		}
	}
}
