package main

import (
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/mattn/go-isatty"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/cwriter"
	"github.com/vbauerster/mpb/v8/decor"
)

// Screen shows a Tally while it grows: a bar for each stage on a terminal, elsewhere a line every
// few seconds. It prints what is written to it, such as a log, above the bars.
type Screen struct {
	io.Writer

	quit   chan struct{}
	once   sync.Once
	drawer sync.WaitGroup // the goroutine that draws; Close waits for it
}

func newScreen(w io.Writer, o Options, tally *Tally) *Screen {
	s := &Screen{Writer: &shared{w: w}, quit: make(chan struct{})}
	if f, ok := w.(*os.File); ok && isatty.IsTerminal(f.Fd()) && hasRoom(f) {
		bars := mpb.New(mpb.WithOutput(w), mpb.WithWidth(40))
		s.Writer = bars
		s.drawer.Go(func() { s.bars(bars, o, tally) })
		return s
	}
	s.drawer.Go(func() { s.lines(o, tally) })
	return s
}

// hasRoom says whether the size of the terminal is known. Without it there are no bars.
func hasRoom(f *os.File) bool {
	width, height, err := cwriter.GetSize(int(f.Fd()))
	return err == nil && width > 0 && height > 0
}

// Close draws for the last time. It may be called twice.
func (s *Screen) Close() {
	s.once.Do(func() { close(s.quit) })
	s.drawer.Wait()
}

// bars draws what each stage has done of what it has got so far.
func (s *Screen) bars(p *mpb.Progress, o Options, tally *Tally) {
	bars := map[string]*mpb.Bar{}
	for _, queue := range []string{o.AccountsQueue(), o.TransactionsQueue(), o.RowsQueue()} {
		bars[queue] = p.AddBar(0,
			mpb.PrependDecorators(decor.Name(strings.TrimPrefix(queue, o.Prefix+"."), decor.WCSyncSpaceR)),
			mpb.AppendDecorators(decor.CountersNoUnit("%d of %d")))
	}
	s.every(100*time.Millisecond, func() {
		progress := tally.Counts().Progress
		for queue, bar := range bars {
			one := stage(progress, queue)
			bar.SetTotal(int64(max(one.Emitted, 1)), false)
			bar.SetCurrent(int64(one.Done))
		}
	})
	for _, bar := range bars {
		bar.Abort(false)
	}
	p.Wait()
}

func (s *Screen) lines(o Options, tally *Tally) {
	last := tally.Counts().line(o)
	s.every(2*time.Second, func() {
		if now := tally.Counts().line(o); now != last {
			_, _ = io.WriteString(s.Writer, now+"\n")
			last = now
		}
	})
}

// every calls f at each interval, and once more at the end.
func (s *Screen) every(d time.Duration, f func()) {
	tick := time.NewTicker(d)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			f()
		case <-s.quit:
			f()
			return
		}
	}
}

// shared lets several goroutines write.
type shared struct {
	mu sync.Mutex
	w  io.Writer
}

func (s *shared) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.w.Write(p)
}
