package main

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os/exec"
	"strings"
	"sync"
	"time"
)

// Fleet keeps worker processes running: one that dies is started again. It kills some of them, at
// moments that its seed decides.
type Fleet struct {
	posts []post
	tally *Tally
	log   io.Writer

	keepers sync.WaitGroup // a goroutine for each worker; Stop waits for them
	failed  chan error     // no worker can start

	mu        sync.Mutex
	stopping  bool
	running   map[*member]bool
	stillborn int                   // workers in a row that ended before they were ready
	lines     int                   // that all workers have told
	kills     map[int]time.Duration // after this line, its worker is killed so much later
}

// post is the place of one worker. One process after the other takes it.
type post struct {
	language string
	command  func() *exec.Cmd
}

type member struct {
	*exec.Cmd

	stdin  io.Closer // the worker stops when it is closed
	stdout io.Reader
	killed bool // with mu of the Fleet
}

// NewFleet makes a Fleet of one worker for each post. Kills are spread over so many lines, which
// the workers tell at least.
func NewFleet(posts []post, kills int, seed uint64, lines int, tally *Tally, log io.Writer) *Fleet {
	f := &Fleet{posts: posts, tally: tally, log: log, failed: make(chan error, 1), running: map[*member]bool{}, kills: map[int]time.Duration{}}
	rnd := rand.New(rand.NewPCG(seed, 2)) //nolint:gosec // it is played again by its seed
	for len(f.kills) < min(kills, lines) {
		f.kills[1+rnd.IntN(lines)] = time.Duration(rnd.Int64N(int64(5 * time.Millisecond)))
	}
	return f
}

// Start starts the workers.
func (f *Fleet) Start() {
	f.with(func() { f.stopping = false })
	for _, p := range f.posts {
		f.keepers.Go(func() { f.keep(p) })
	}
}

// Stop stops the workers and waits until all have ended. They finish what they have in hand. One
// that does not end in time is killed.
func (f *Fleet) Stop() {
	f.with(func() {
		f.stopping = true
		for m := range f.running {
			_ = m.stdin.Close()
		}
	})
	late := time.AfterFunc(2*patience, func() {
		f.with(func() {
			for m := range f.running {
				f.kill(m)
			}
		})
	})
	defer late.Stop()
	f.keepers.Wait()
}

// Failed yields an error when workers end before they are ready, one after the other.
func (f *Fleet) Failed() <-chan error { return f.failed }

func (f *Fleet) with(do func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	do()
}

// keep runs one worker after the other until the Fleet is stopped.
func (f *Fleet) keep(p post) {
	for {
		m, err := f.launch(p.command())
		if err == nil && m == nil {
			return
		}
		wasReady := false
		if err == nil {
			wasReady = f.listen(m, p.language)
			err = m.Wait()
		}
		if !f.again(m, wasReady, err) {
			return
		}
	}
}

// launch starts a process. It starts none when the Fleet is stopped.
func (f *Fleet) launch(cmd *exec.Cmd) (*member, error) {
	m := &member{Cmd: cmd}
	cmd.Stderr = f.log
	var err1, err2 error
	m.stdin, err1 = cmd.StdinPipe()
	m.stdout, err2 = cmd.StdoutPipe()
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.stopping {
		return nil, nil
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	f.running[m] = true
	return m, nil
}

// listen reads what the worker tells until it ends, and kills it when its moment has come.
func (f *Fleet) listen(m *member, language string) (wasReady bool) {
	for in := bufio.NewScanner(m.stdout); in.Scan(); {
		event, id, _ := strings.Cut(in.Text(), " ")
		wasReady = true // it may tell of its first delivery before it tells that it is ready
		f.tally.Told(language, event, id)
		f.with(func() {
			f.stillborn = 0
			if event == ready {
				return
			}
			f.lines++
			if after, now := f.kills[f.lines]; now {
				time.AfterFunc(after, func() { f.with(func() { f.kill(m) }) })
			}
		})
	}
	return wasReady
}

// kill is kill -9. If the worker has ended already, the one that tells the next line is killed
// instead. It is called with mu held.
func (f *Fleet) kill(m *member) {
	if !m.killed && m.Process.Kill() == nil {
		m.killed = true
		return
	}
	next := f.lines + 1
	for f.has(next) {
		next++
	}
	f.kills[next] = 0
}

func (f *Fleet) has(line int) bool {
	_, has := f.kills[line]
	return has
}

// again notes that a worker has ended, and says whether it is started again.
func (f *Fleet) again(m *member, wasReady bool, err error) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.running, m)
	if err != nil && m != nil {
		f.tally.Ended(m.killed)
	}
	if f.stopping {
		return false
	}
	if wasReady {
		return true
	}
	f.stillborn++
	if f.stillborn < 3*len(f.posts) {
		return true
	}
	select {
	case f.failed <- fmt.Errorf("no worker starts; the last one ended before it was ready: %w", cmp.Or(err, errNoReason)):
	default:
	}
	return false
}

var errNoReason = errors.New("exit status 0")
