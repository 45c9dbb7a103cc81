package drill

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/mattn/go-isatty"
)

// Screen shows a line that changes while the work goes on, and prints what is written to it above
// that line. Where there is no terminal it prints the line every few seconds.
type Screen struct {
	text  func() string
	quit  chan struct{}
	once  sync.Once
	drawn sync.WaitGroup // the goroutine that draws; Close waits for it

	mu       sync.Mutex
	w        io.Writer
	terminal bool
	last     string
}

// NewScreen shows on w what text returns, until Close.
func NewScreen(w io.Writer, text func() string) *Screen {
	s := &Screen{text: text, last: text(), quit: make(chan struct{}), w: w}
	pause := 2 * time.Second
	if f, ok := w.(*os.File); ok && isatty.IsTerminal(f.Fd()) {
		s.terminal, pause = true, 100*time.Millisecond
	}
	s.drawn.Go(func() {
		tick := time.NewTicker(pause)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				s.draw()
			case <-s.quit:
				s.draw()
				return
			}
		}
	})
	return s
}

func (s *Screen) draw() {
	now := s.text()
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case now == s.last:
	case s.terminal:
		_, _ = fmt.Fprintf(s.w, "\r\x1b[K%s", now)
	default:
		_, _ = fmt.Fprintln(s.w, now)
	}
	s.last = now
}

// Write prints above the line.
func (s *Screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.terminal && s.last != "" {
		_, _ = io.WriteString(s.w, "\r\x1b[K")
		s.last = "" // draw it again
	}
	return s.w.Write(p)
}

// Close draws for the last time. It may be called twice.
func (s *Screen) Close() {
	s.once.Do(func() {
		close(s.quit)
		s.drawn.Wait()
		if s.terminal {
			_, _ = fmt.Fprintln(s.w)
		}
	})
}
