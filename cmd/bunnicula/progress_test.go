package main

import (
	"bytes"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bunnicula-go/bunnicula/errorqueue"
)

func TestProgressIsALineNowAndThenWhereNoBarCanBeDrawn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		p := &progress{out: &out, what: "redrive"}
		for i := range 121 { // twelve seconds
			p.tell(errorqueue.Progress{Of: 1000, Read: 8 * i, Matched: i, Moved: i / 2, Failed: i / 100})
			time.Sleep(100 * time.Millisecond)
		}
		p.end()
		want := "redrive: 400/1000 read, 50 chosen, 25 done\nredrive: 800/1000 read, 100 chosen, 50 done, 1 failed\n"
		if out.String() != want {
			t.Errorf("got\n%swant\n%s", out.String(), want)
		}
	})
}

func TestProgressSaysWhatItWaitsFor(t *testing.T) {
	for want, p := range map[string]errorqueue.Progress{
		"12 read, watching 30s":           {Of: -1, Read: 12, Watch: 30 * time.Second, Phase: errorqueue.PhaseWatching},
		"0 read, waiting":                 {Of: -1, Phase: errorqueue.PhaseWaiting},
		"12/20 read":                      {Of: 20, Read: 12, Phase: errorqueue.PhaseReading},
		"12/20 read, 3 chosen, moving":    {Of: 20, Read: 12, Matched: 3, Phase: errorqueue.PhaseMoving},
		"20/20 read, 3 done, giving back": {Of: 20, Read: 20, Moved: 3, Phase: errorqueue.PhaseGivingBack},
		"20/20 read, 3 done, watching":    {Of: 20, Read: 20, Moved: 3, Phase: errorqueue.PhaseWatching}, // a look
		"9/9 read, 10 done, batch 2, 1 failed again, watching 5s": {Of: 9, Read: 9, Moved: 10, Batch: 2, FailedAgain: 1, Watch: 5 * time.Second},
		"orders-error: 1/2 read, 2 failed":                        {Queue: "orders-error", Of: 2, Read: 1, Failed: 2},
	} {
		if got := counts(p); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// A log line must not be written into the bar, and the bar must be removed at the end.
func TestProgressIsABarOnATerminal(t *testing.T) {
	out := &shared{}
	p := &progress{out: out, draws: true, what: "redrive"}
	for i := range 20 {
		p.tell(errorqueue.Progress{Of: 1000, Read: 50 * i, Matched: i, Moved: i})
		if i == 10 {
			if _, err := p.Write([]byte("connection lost\n")); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(20 * time.Millisecond) // the bar's goroutine draws it
	}
	p.end()
	if _, err := p.Write([]byte("later\n")); err != nil {
		t.Fatal(err)
	}
	p.begin("once more")
	p.tell(errorqueue.Progress{Of: 10, Read: 1})
	p.end()
	for _, want := range []string{"redrive [", "/1000 read", " done", "connection lost\n", "later\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("nothing says %q: %q", want, out.String())
		}
	}
}

// shared is a buffer that several goroutines write to.
type shared struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (s *shared) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.Write(b)
}

func (s *shared) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.String()
}
