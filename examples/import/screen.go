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

func newScreen(w io.Writer, tally *Tally, accounts []string) *Screen {
	s := &Screen{quit: make(chan struct{})}
	if f, ok := w.(*os.File); ok && isatty.IsTerminal(f.Fd()) && width(f) > 0 {
		bars := mpb.New(mpb.WithOutput(w), mpb.WithWidth(40))
		s.Writer = bars
		s.drawer.Go(func() { s.bars(bars, tally, accounts) })
		return s
	}
	s.Writer = w
	s.drawer.Go(func() { s.lines(w, tally, accounts) })
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

// bar is a bar that shows n of all.
type bar struct {
	*mpb.Bar

	value func() (n, all int)
}

func newBar(p *mpb.Progress, name string, value func() (n, all int), text func() string) bar {
	return bar{p.AddBar(0,
		mpb.PrependDecorators(decor.Name(name, decor.WCSyncSpaceR)),
		mpb.AppendDecorators(decor.Any(func(decor.Statistics) string { return text() })),
	), value}
}

// bars draws what is published, what each account has settled, and what waits.
func (s *Screen) bars(p *mpb.Progress, tally *Tally, accounts []string) {
	bars := []bar{newBar(p, "published",
		func() (int, int) { c := tally.Counts(); return c.Published, c.Total },
		func() string { c := tally.Counts(); return fmt.Sprintf("%d of %d", c.Published, c.Total) },
	)}
	for _, name := range accounts {
		bars = append(bars, newBar(p, name,
			func() (int, int) { a := tally.Account(name); return a.Imported + a.Parked, a.Total },
			func() string {
				a := tally.Account(name)
				return fmt.Sprintf("%d imported, %d parked", a.Imported, a.Parked)
			},
		))
	}
	bars = append(bars, newBar(p, "waiting",
		func() (int, int) { c := tally.Counts(); return c.open(), c.Total },
		func() string {
			c := tally.Counts()
			return fmt.Sprintf("%d retried, %d snoozed", c.retried(), c.Snoozed)
		},
	))
	s.every(100*time.Millisecond, func() {
		for _, b := range bars {
			n, all := b.value()
			b.SetTotal(int64(max(all, 1)), false)
			b.SetCurrent(int64(n))
		}
	})
	for _, b := range bars {
		b.Abort(false)
	}
	p.Wait()
}

func (s *Screen) lines(w io.Writer, tally *Tally, accounts []string) {
	text := func() string {
		line := tally.Counts().String()
		for _, name := range accounts {
			a := tally.Account(name)
			line += fmt.Sprintf("; %s %d of %d", name, a.Imported+a.Parked, a.Total)
		}
		return line + "\n"
	}
	last := text()
	s.every(2*time.Second, func() {
		if now := text(); now != last {
			_, _ = io.WriteString(w, now)
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
