//go:build unix

package faults_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/bunnicula-go/bunnicula/consumer"
)

// vitals is a consumer's health at one moment, as its worker has recorded it. If Fatal is not
// empty, it is the argument of OnFatal instead.
type vitals struct {
	Queue           string
	Ready           bool
	Subscribed      bool
	Slow            bool
	Stuck           int
	CopiesBlocked   int
	MonitorsBlocked int
	Err             string `json:",omitempty"`
	Fatal           string `json:",omitempty"`
}

// vitalsFile is the file to which a worker writes its consumers' health at each change.
type vitalsFile struct{ file *os.File }

const vitalsEnding = ".vitals"

func openVitals(journal string) (*vitalsFile, error) {
	path := strings.TrimSuffix(journal, filepath.Ext(journal)) + vitalsEnding
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	return &vitalsFile{file}, err
}

// write appends one line with one system call.
func (f *vitalsFile) write(v any) {
	line, err := json.Marshal(v)
	if err == nil {
		_, err = f.file.Write(append(line, '\n'))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "vitals:", err)
		os.Exit(exitJournal)
	}
}

// watch records changes until ctx ends; then the channel is closed.
func (f *vitalsFile) watch(ctx context.Context, group *consumer.Group) <-chan struct{} {
	done := make(chan struct{})
	go func() {
		defer close(done)
		if group == nil {
			return // the application could not be built
		}
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		last := map[string]string{}
		for {
			for _, h := range group.Health() {
				line, err := json.Marshal(h)
				if now := string(line); err != nil || now != last[h.Queue] {
					f.write(h)
					last[h.Queue] = now
				}
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
	}()
	return done
}

// vitals returns the latest vitals of each consumer of the process, and all arguments of OnFatal.
func (p *process) vitals() (latest []vitals, fatal []string) {
	text, err := os.ReadFile(filepath.Join(p.dir, p.name+vitalsEnding))
	if err != nil {
		return nil, nil // it has written nothing yet
	}
	index := map[string]int{}
	for line := range bytes.Lines(text[:bytes.LastIndexByte(text, '\n')+1]) {
		var v vitals
		if err := json.Unmarshal(line, &v); err != nil {
			panic(fmt.Sprintf("%s%s: %q: %v", p.name, vitalsEnding, line, err))
		}
		switch i, seen := index[v.Queue]; {
		case v.Fatal != "":
			fatal = append(fatal, v.Fatal)
		case seen:
			latest[i] = v
		default:
			index[v.Queue] = len(latest)
			latest = append(latest, v)
		}
	}
	return latest, fatal
}

// vitals returns those of all consumers of the current workers, in the order of slots and queues.
func (l *lane) vitals() []vitals {
	var all []vitals
	for _, slot := range l.slots {
		latest, _ := slot.process().vitals()
		all = append(all, latest...)
	}
	return all
}

// healths waits until each lane's consumers have the wanted health.
func (s *stage) healths(within time.Duration, want string, are func(all []vitals) bool) {
	s.t.Helper()
	s.each(func(l *lane) {
		if !l.await(within, func() bool { return are(l.vitals()) }) {
			s.t.Errorf("%s: the health is %+v, want %s within %s", l.kind, l.vitals(), want, within)
		}
	})
}

// fatal waits until OnFatal of each slot's worker was called with this text in its argument.
func (s *stage) fatal(within time.Duration, text string) {
	s.t.Helper()
	s.each(func(l *lane) {
		for _, slot := range l.slots {
			var told []string
			if !l.await(within, func() bool {
				_, told = slot.process().vitals()
				return strings.Contains(strings.Join(told, "\n"), text)
			}) {
				s.t.Errorf("%s: OnFatal of %s was told %q, want something with %q within %s", l.kind, slot.process().name, told, text, within)
			}
		}
	})
}

// logged says whether a worker of the lane has logged a line with this text.
func (l *lane) logged(text string) bool { return l.count(text) > 0 }

// count returns how many lines with all these texts the lane's workers have logged.
func (l *lane) count(texts ...string) int {
	files, err := filepath.Glob(filepath.Join(l.dir, "*.log"))
	if err != nil {
		l.t.Error(err)
	}
	n := 0
	for _, file := range files {
		log, err := os.ReadFile(file)
		if err != nil {
			l.t.Error(err)
		}
		for line := range strings.Lines(string(log)) {
			if !slices.ContainsFunc(texts, func(text string) bool { return !strings.Contains(line, text) }) {
				n++
			}
		}
	}
	return n
}
