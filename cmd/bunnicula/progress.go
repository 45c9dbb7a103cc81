package main

import (
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"github.com/bunnicula-go/bunnicula/errorqueue"
)

// sayEvery is how often a line is printed if no bar can be drawn.
const sayEvery = 5 * time.Second

// progress shows the progress of a call on stderr: as a bar on a terminal, elsewhere as an
// occasional line. It begins with the first tell, and after an end with the next tell. It prints
// text that is written to it, such as a log, above the bar.
type progress struct {
	out   io.Writer
	draws bool
	quiet bool // the bar and the output would be on one terminal

	what string
	said time.Time // when the last line was printed

	mu   sync.Mutex // guards bars, to which loggers write
	bars *mpb.Progress
	bar  *mpb.Bar
	// The text beside the bar. The bar's goroutine reads it; end waits for that goroutine.
	text atomic.Pointer[string]
}

func (a *app) progress(what string) *progress {
	return &progress{out: a.err, draws: a.draws, what: what}
}

// begin sets the name of the next step.
func (p *progress) begin(what string) { p.what, p.said = what, time.Time{} }

// tell is called with each Progress.
func (p *progress) tell(now errorqueue.Progress) {
	switch {
	case p.quiet:
	case p.draws:
		p.draw(now)
	case p.said.IsZero():
		p.said = time.Now() // a short call prints no line
	case time.Since(p.said) >= sayEvery:
		p.said = time.Now()
		fmt.Fprintf(p.out, "%s: %s\n", p.what, counts(now))
	}
}

func (p *progress) draw(now errorqueue.Progress) {
	text := counts(now)
	p.text.Store(&text)
	if p.bar == nil {
		p.mu.Lock()
		p.bars = mpb.New(mpb.WithOutput(p.out), mpb.WithWidth(lineWidth), mpb.WithAutoRefresh())
		p.mu.Unlock()
		beside := decor.Any(func(decor.Statistics) string { return *p.text.Load() })
		p.bar = p.bars.AddBar(0, mpb.BarWidth(16), mpb.PrependDecorators(decor.Name(p.what)), mpb.AppendDecorators(beside))
	}
	done, of := now.Read, now.Of
	if settled := now.Moved + now.Failed; settled > 0 && done >= of {
		done, of = settled, now.Matched // all messages are known, and are being moved
	}
	p.bar.SetTotal(int64(max(of, done, 1)), false)
	p.bar.SetCurrent(int64(done))
}

// counts returns a Progress as text.
func counts(n errorqueue.Progress) string {
	text := ""
	if n.Queue != "" {
		text = plain(n.Queue) + ": "
	}
	text += fmt.Sprint(n.Read)
	if n.Of >= 0 {
		text += fmt.Sprintf("/%d", n.Of)
	}
	text += " read"
	if n.Matched > 0 {
		text += fmt.Sprintf(", %d chosen", n.Matched)
	}
	if n.Moved > 0 {
		text += fmt.Sprintf(", %d done", n.Moved)
	}
	if n.Failed > 0 {
		text += fmt.Sprintf(", %d failed", n.Failed)
	}
	if n.Batch > 0 {
		text += fmt.Sprintf(", batch %d", n.Batch)
	}
	if n.FailedAgain > 0 {
		text += fmt.Sprintf(", %d failed again", n.FailedAgain)
	}
	switch {
	case n.Watch > 0:
		text += fmt.Sprintf(", watching %s", n.Watch)
	case n.Phase != "" && n.Phase != errorqueue.PhaseReading: // which the numbers tell
		text += ", " + string(n.Phase)
	}
	return text
}

// end removes the bar.
func (p *progress) end() {
	if p.bar == nil {
		return
	}
	p.bar.Abort(true)
	p.bars.Wait()
	p.mu.Lock()
	p.bars, p.bar = nil, nil
	p.mu.Unlock()
}

// Write writes a line above the bar.
func (p *progress) Write(text []byte) (int, error) {
	p.mu.Lock()
	bars := p.bars
	p.mu.Unlock()
	if bars != nil {
		if n, err := bars.Write(text); err == nil {
			return n, nil
		}
	}
	return p.out.Write(text)
}
