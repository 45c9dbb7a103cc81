package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/mattn/go-isatty"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/cwriter"
	"github.com/vbauerster/mpb/v8/decor"
)

// Screen shows a Tally while it grows: as bars on a terminal, elsewhere as a line every few
// seconds. It prints what is written to it, such as a log, above the bars.
type Screen struct {
	io.Writer

	quit   chan struct{}
	once   sync.Once
	drawer sync.WaitGroup // the goroutine that draws; Close waits for it
}

func newScreen(w io.Writer, tally *Tally) *Screen {
	s := &Screen{quit: make(chan struct{})}
	if f, ok := w.(*os.File); ok && isatty.IsTerminal(f.Fd()) && width(f) > 0 {
		bars := mpb.New(mpb.WithOutput(w), mpb.WithWidth(40))
		s.Writer = bars
		s.drawer.Go(func() { s.bars(bars, tally) })
		return s
	}
	s.Writer = w
	s.drawer.Go(func() { s.lines(w, tally) })
	return s
}

// width is the width of the terminal. It is 0 if that is not known; then there are no bars.
func width(f *os.File) int {
	w, _, err := cwriter.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return w
}

// Close draws for the last time. It may be called twice.
func (s *Screen) Close() {
	s.once.Do(func() { close(s.quit) })
	s.drawer.Wait()
}

func (s *Screen) bars(p *mpb.Progress, tally *Tally) {
	bar := func(name string, text func(Counts) string) *mpb.Bar {
		return p.AddBar(0,
			mpb.PrependDecorators(decor.Name(name, decor.WCSyncSpaceR)),
			mpb.AppendDecorators(decor.Any(func(decor.Statistics) string { return text(tally.Counts()) })),
		)
	}
	published := bar("published", func(c Counts) string { return fmt.Sprintf("%d of %d", c.Published, c.Total) })
	settled := bar("imported", func(c Counts) string { return fmt.Sprintf("%d, %d parked", c.Imported, c.Parked) })
	waiting := bar("waiting", func(c Counts) string { return fmt.Sprintf("%d retried, %d snoozed", c.retried(), c.Snoozed) })
	s.every(100*time.Millisecond, func() {
		c := tally.Counts()
		for b, n := range map[*mpb.Bar]int{published: c.Published, settled: c.Imported + c.Parked, waiting: c.Published - c.Imported - c.Parked} {
			b.SetTotal(int64(max(c.Total, 1)), false)
			b.SetCurrent(int64(n))
		}
	})
	for _, b := range []*mpb.Bar{published, settled, waiting} {
		b.Abort(false)
	}
	p.Wait()
}

func (s *Screen) lines(w io.Writer, tally *Tally) {
	last := fmt.Sprintln(Counts{}.String())
	s.every(2*time.Second, func() {
		if text := fmt.Sprintln(tally.Counts().String()); text != last {
			_, _ = io.WriteString(w, text)
			last = text
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
