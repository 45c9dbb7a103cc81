package main

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"github.com/bunnicula-go/bunnicula/pipeline"
)

// stageBars shows the progress of a job on stderr: as a bar for each stage on a terminal, elsewhere
// as an occasional line. One goroutine uses it.
type stageBars struct {
	out   io.Writer
	draws bool
	quiet bool // output has all of it

	said  time.Time // when the last line was printed
	bars  *mpb.Progress
	stage map[string]*stageBar
}

type stageBar struct {
	*mpb.Bar
	mu   sync.Mutex // guards text, which the bar's goroutine reads
	text string
}

func (b *stageBar) beside(decor.Statistics) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text
}

func (s *stageBars) tell(p *pipeline.Progress) {
	switch {
	case s.quiet:
	case s.draws:
		for _, one := range p.Stages {
			s.draw(one)
		}
	case s.said.IsZero():
		s.said = time.Now() // a short watch prints no line
	case time.Since(s.said) >= sayEvery:
		s.said = time.Now()
		fmt.Fprintf(s.out, "%s: %s\n", plain(p.Job), plain(stagesLine(p)))
	}
}

func (s *stageBars) draw(now pipeline.StageProgress) {
	if s.bars == nil {
		s.bars = mpb.New(mpb.WithOutput(s.out), mpb.WithWidth(lineWidth), mpb.WithAutoRefresh())
		s.stage = map[string]*stageBar{}
	}
	b := s.stage[now.Queue]
	if b == nil {
		b = &stageBar{}
		s.stage[now.Queue] = b
		name := decor.Name(shorten(plain(now.Queue), lineWidth/2), decor.WCSyncSpaceR)
		b.Bar = s.bars.AddBar(0, mpb.BarWidth(16), mpb.PrependDecorators(name), mpb.AppendDecorators(decor.Any(b.beside)))
	}
	text := doneOf(now)
	if now.Parked > 0 {
		text += fmt.Sprintf(", %d parked", now.Parked)
	}
	b.mu.Lock()
	b.text = text
	b.mu.Unlock()
	b.SetTotal(int64(max(now.Emitted, now.Done, 1)), false)
	b.SetCurrent(int64(now.Done))
}

// say prints a line above the bars.
func (s *stageBars) say(text string) {
	if text == "" {
		return
	}
	if s.bars != nil {
		if _, err := s.bars.Write([]byte(text + "\n")); err == nil {
			return
		}
	}
	fmt.Fprintln(s.out, text)
}

// end removes the bars.
func (s *stageBars) end() {
	if s.bars == nil {
		return
	}
	for _, b := range s.stage {
		b.Abort(true)
	}
	s.bars.Wait()
	s.bars = nil
}
