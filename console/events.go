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
	out := http.NewResponseController(a.w)
	_ = out.SetWriteDeadline(time.Now().Add(hintFor + time.Minute)) // the server may have none
	a.w.Header().Set("Content-Type", "text/event-stream")
	a.w.Header().Set("X-Accel-Buffering", "no")
	a.w.WriteHeader(http.StatusOK)
	changes, stop := r.Watch()
	defer stop()
	end, beat := time.NewTimer(hintFor), time.NewTicker(heartbeat)
	defer end.Stop()
	defer beat.Stop()
	_, err := fmt.Fprint(a.w, "retry: 2000\n\n")
	for err == nil {
		if err = out.Flush(); err != nil {
			return
		}
		select {
		case version, open := <-changes:
			if !open {
				return
			}
			_, err = fmt.Fprintf(a.w, "data: snapshot %d\n\n", version)
		case <-beat.C:
			_, err = fmt.Fprint(a.w, ": \n\n")
		case <-end.C:
			return
		case <-a.r.Context().Done():
			return
		}
	}
}
