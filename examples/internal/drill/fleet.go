package drill

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"
)

// Fleet keeps processes running: one that dies is started again.
type Fleet struct {
	posts []Post
	toll  *Toll
	log   io.Writer
	heard func(event, what string)

	keepers sync.WaitGroup // a goroutine for each post; Stop waits for them
	failed  chan error     // no process can start

	mu        sync.Mutex
	stopping  bool
	running   map[string]*member // by post
	ready     map[string]bool    // posts of which one process was ready
	stillborn int                // processes in a row that ended before they were ready
}

// Ready is what a process tells when it runs. Each line that it prints on its standard output is an
// event, and what it is about.
const Ready = "ready"

// Post is the place of one process. One after the other takes it.
type Post struct {
	Name    string
	Command func() *exec.Cmd
}

// Self makes the command that runs this program once more. Its environment is that of this process
// with env.
func Self(env []string, args ...string) func() *exec.Cmd {
	self, err := os.Executable()
	if err != nil {
		self = os.Args[0]
	}
	return func() *exec.Cmd {
		cmd := exec.Command(self, args...) //nolint:noctx,gosec // Fleet.Stop ends it; it is this program
		cmd.Env = append(os.Environ(), env...)
		return cmd
	}
}

type member struct {
	*exec.Cmd

	stdin  io.WriteCloser // tells the process what to do; it stops when it is closed
	stdout io.Reader
	doomed bool // with mu of the Fleet, and so is killed; it was told to die
	killed bool
}

// NewFleet makes a Fleet of one process for each post. What a process tells, other than Ready, is
// given to heard, which several goroutines call. What it logs is written to log.
func NewFleet(posts []Post, toll *Toll, log io.Writer, heard func(event, what string)) *Fleet {
	return &Fleet{
		posts: posts, toll: toll, log: log, heard: heard, failed: make(chan error, 1),
		running: map[string]*member{}, ready: map[string]bool{},
	}
}

// Start starts the processes in the order of their posts, each when the one before it is ready.
func (f *Fleet) Start(ctx context.Context) error {
	f.with(func() { f.stopping = false; clear(f.ready) })
	for _, p := range f.posts {
		f.keepers.Go(func() { f.keep(p) })
		err := Every(ctx, func() (is bool, err error) {
			select {
			case err = <-f.failed:
			default:
			}
			f.with(func() { is = f.ready[p.Name] })
			return is, err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Stop stops the processes and waits until all have ended. They finish what they have in hand. One
// that does not end in 30 s is killed.
func (f *Fleet) Stop() {
	f.with(func() {
		f.stopping = true
		for _, m := range f.running {
			_ = m.stdin.Close()
		}
	})
	late := time.AfterFunc(2*patience, func() {
		f.with(func() {
			for _, m := range f.running {
				_ = m.Process.Kill()
			}
		})
	})
	defer late.Stop()
	f.keepers.Wait()
}

// Failed yields an error when processes end before they are ready, one after the other.
func (f *Fleet) Failed() <-chan error { return f.failed }

// Kill kills the process of a post, as kill -9 does. It returns false if none runs.
func (f *Fleet) Kill(name string) (did bool) {
	f.with(func() {
		if m := f.running[name]; m != nil && !m.killed && !f.stopping {
			m.killed = m.Process.Kill() == nil
			did = m.killed
		}
	})
	return did
}

// Doom tells one process to die, with this line on its standard input: its end counts as a kill. It
// returns false if there is none that can be told.
func (f *Fleet) Doom(line string) (did bool) {
	f.with(func() {
		for _, p := range f.posts {
			m := f.running[p.Name]
			if m == nil || m.killed || m.doomed || f.stopping {
				continue
			}
			if _, err := io.WriteString(m.stdin, line+"\n"); err == nil {
				m.doomed, did = true, true
				return
			}
		}
	})
	return did
}

func (f *Fleet) with(do func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	do()
}

// keep runs one process after the other until the Fleet is stopped.
func (f *Fleet) keep(p Post) {
	for {
		m, err := f.launch(p)
		if err == nil && m == nil {
			return
		}
		wasReady := false
		if err == nil {
			wasReady = f.listen(m, p.Name)
			err = m.Wait()
		}
		if !f.again(p.Name, m, wasReady, err) {
			return
		}
	}
}

// launch starts a process. It starts none when the Fleet is stopped.
func (f *Fleet) launch(p Post) (*member, error) {
	m := &member{Cmd: p.Command()}
	m.Stderr = f.log
	var err1, err2 error
	m.stdin, err1 = m.StdinPipe()
	m.stdout, err2 = m.StdoutPipe()
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.stopping {
		return nil, nil
	}
	if err := m.Start(); err != nil {
		return nil, err
	}
	f.running[p.Name] = m
	return m, nil
}

// listen reads what a process tells until it ends.
func (f *Fleet) listen(m *member, name string) (wasReady bool) {
	for in := bufio.NewScanner(m.stdout); in.Scan(); {
		event, what, _ := strings.Cut(in.Text(), " ")
		if event != Ready {
			f.heard(event, what)
			continue
		}
		wasReady = true
		f.with(func() { f.ready[name], f.stillborn = true, 0 })
	}
	return wasReady
}

// again notes that a process has ended, and says whether it is started again.
func (f *Fleet) again(name string, m *member, wasReady bool, err error) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.running, name)
	if f.stopping {
		return false
	}
	killed := m != nil && (m.killed || m.doomed)
	if !killed {
		f.toll.died()
	}
	if wasReady || killed {
		return true
	}
	f.stillborn++
	if f.stillborn < 3*len(f.posts) {
		return true
	}
	select {
	case f.failed <- fmt.Errorf("no process starts; the last one ended before it was ready: %w", cmp.Or(err, errNoReason)):
	default:
	}
	return false
}

var errNoReason = errors.New("exit status 0")
