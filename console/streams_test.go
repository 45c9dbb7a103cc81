package console_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bunnicula-go/bunnicula/brokertest"
	"github.com/bunnicula-go/bunnicula/console"
)

// watched is a Console on a broker in memory, and the browsers that look at it.
type watched struct {
	*console.Console
	reads func() int

	mu       sync.Mutex
	looks    map[any]bool // at the broker
	statuses map[int]int  // of the streams of hints
}

func newWatched(t *testing.T, cfg console.Config) *watched {
	t.Helper()
	cfg.Connection = brokertest.New(t).Connection()
	c, err := console.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return &watched{Console: c, reads: console.Park(t, c), looks: map[any]bool{}, statuses: map[int]int{}}
}

// looked returns how many looks at the broker the browsers have seen.
func (w *watched) looked() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	if l := console.Look(w.Console); l != nil {
		w.looks[l] = true
	}
	return len(w.looks)
}

// ask asks for a page, as a user if Identify has users.
func (w *watched) ask(ctx context.Context, path, user string) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, "http://localhost"+path, nil)
	r.RemoteAddr = "127.0.0.1:50000"
	r.SetBasicAuth(user, "")
	answer := httptest.NewRecorder()
	w.ServeHTTP(answer, r)
	return answer
}

// follow waits for hints until ctx ends.
func (w *watched) follow(ctx context.Context, user string) {
	status := w.ask(ctx, "/q/orders-error/events", user).Code
	w.mu.Lock()
	defer w.mu.Unlock()
	w.statuses[status]++
}

// browse is a browser that looks at the overview and at an error queue until ctx ends.
func (w *watched) browse(ctx context.Context) {
	var hints sync.WaitGroup
	defer hints.Wait()
	hints.Go(func() { w.follow(ctx, "") })
	for ctx.Err() == nil {
		w.ask(ctx, "/", "")
		w.looked()
		w.ask(ctx, "/q/orders-error", "")
		select {
		case <-time.After(5 * time.Second):
		case <-ctx.Done():
		}
	}
}

func TestManyBrowsersShareOneReadingAndOneLook(t *testing.T) {
	for _, browsers := range []int{1, 20, 80} {
		synctest.Test(t, func(t *testing.T) {
			w := newWatched(t, console.Config{})
			ctx, leave := context.WithCancel(t.Context())
			var all sync.WaitGroup
			for i := range browsers {
				all.Go(func() {
					time.Sleep(time.Duration(i) * 37 * time.Millisecond)
					w.browse(ctx)
				})
			}
			const watch = 2 * time.Minute
			time.Sleep(watch)
			synctest.Wait()
			if n := w.reads(); n != 1 {
				t.Errorf("%d browsers: %d readings, want 1", browsers, n)
			}
			if n, most := w.looked(), int(watch/console.LookEvery)+1; n > most || n < most/2 {
				t.Errorf("%d browsers: %d looks, want %d at most", browsers, n, most)
			}
			if n, viewers := console.Streams(w.Console); n != min(browsers, console.StreamsEach) || viewers != 1 {
				t.Errorf("%d browsers: %d streams of hints, of %d viewers", browsers, n, viewers)
			}
			leave()
			all.Wait()
			looks := w.looked()
			time.Sleep(time.Hour)
			if n := w.looked(); n != looks {
				t.Errorf("%d browsers: %d looks after they have gone", browsers, n-looks)
			}
			if n := w.reads(); n != 1 {
				t.Errorf("%d browsers: %d readings after they have gone", browsers, n)
			}
			if n, viewers := console.Streams(w.Console); n != 0 || viewers != 0 {
				t.Errorf("%d streams, of %d viewers, are counted after they have gone", n, viewers)
			}
			if got := w.statuses[http.StatusServiceUnavailable]; got != max(0, browsers-console.StreamsEach) {
				t.Errorf("%d browsers: %d streams were refused", browsers, got)
			}
		})
	}
}

func TestAllViewersTogetherHaveABoundedNumberOfStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatched(t, console.Config{Identify: func(r *http.Request) (console.User, error) {
			name, _, _ := r.BasicAuth()
			return console.User{Name: name, Grants: []console.Grant{{Queues: "*", Right: console.See}}}, nil
		}})
		ctx, leave := context.WithCancel(t.Context())
		var all sync.WaitGroup
		for i := range console.StreamsMost + 30 {
			all.Go(func() { w.follow(ctx, fmt.Sprintf("user-%d", i)) })
		}
		time.Sleep(time.Second)
		answer := w.ask(ctx, "/q/orders-error/events", "late")
		if answer.Code != http.StatusServiceUnavailable || answer.Header().Get("Retry-After") != "5" {
			t.Errorf("one more: %d, %q", answer.Code, answer.Header().Get("Retry-After"))
		}
		leave()
		all.Wait()
		if w.statuses[http.StatusOK] != console.StreamsMost || w.statuses[http.StatusServiceUnavailable] != 30 {
			t.Errorf("the streams were answered by %v", w.statuses)
		}
	})
}
