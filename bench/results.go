package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"github.com/bunnicula-go/bunnicula/bench/turn"
	"github.com/bunnicula-go/bunnicula/topology"
)

// results holds all measurements of one run, in the form of the JSON file.
type results struct {
	When    time.Time
	Machine machine
	Rounds  int
	Quick   bool `json:",omitempty"`
	Peer    bool `json:",omitempty"` // with -peer
	Cases   []caseResult
}

// machine holds the conditions on which the figures depend.
type machine struct {
	Cores  int
	System string
	Go     string
	Client string // version of amqp091-go
	Broker string `json:",omitempty"`
	Load   string `json:",omitempty"` // the load averages at the start

	Libraries map[string]string `json:",omitempty"` // the modules of bench/others, and their versions
}

// caseResult is one case.
type caseResult struct {
	Name      string
	Work      string
	QueueType topology.QueueType
	Size      int
	Messages  int
	Figure    turn.Metric
	Columns   []turn.Metric
	Sides     []sideResult // the first is this library
}

// sideResult is one side, in each round.
type sideResult struct {
	Name   string
	Rounds []turn.Sample
}

const clientLibrary = "github.com/rabbitmq/amqp091-go"

func thisMachine(b *broker) machine {
	m := machine{Cores: runtime.NumCPU(), System: runtime.GOOS + "/" + runtime.GOARCH, Go: runtime.Version()}
	if info, ok := debug.ReadBuildInfo(); ok {
		m.Client = versions(info)[clientLibrary]
	}
	if b != nil {
		m.Broker = b.version
	}
	if text, err := os.ReadFile("/proc/loadavg"); err == nil {
		m.Load = strings.Join(strings.Fields(string(text))[:3], " ")
	}
	return m
}

// versions returns the version of each module of a program.
func versions(info *debug.BuildInfo) map[string]string {
	all := map[string]string{}
	for _, dep := range info.Deps {
		all[dep.Path] = dep.Version
	}
	return all
}

// find returns a case by its name.
func (r *results) find(name string) (caseResult, bool) {
	for _, c := range r.Cases {
		if c.Name == name {
			return c, true
		}
	}
	return caseResult{}, false
}

// side returns a side by its name.
func (c caseResult) side(name string) (sideResult, bool) {
	for _, s := range c.Sides {
		if s.Name == name {
			return s, true
		}
	}
	return sideResult{}, false
}

func readResults(file string) (results, error) {
	var r results
	err := readJSON(file, &r)
	return r, err
}

func readJSON(file string, to any) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, to); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return nil
}

// write writes bench.json and bench.svg.
func (r *results) write(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, resultsFile), append(text, '\n'), 0o644); err != nil {
		return err
	}
	return r.draw(dir)
}

// draw writes bench.svg, and processes.svg if that was measured.
func (r *results) draw(dir string) error {
	if err := os.WriteFile(filepath.Join(dir, plotFile), []byte(plot(r)), 0o644); err != nil {
		return err
	}
	c, measured := processesChart(r)
	if !measured {
		return nil
	}
	return os.WriteFile(filepath.Join(dir, processesPlot), []byte(c.draw()), 0o644)
}

const (
	resultsFile  = "bench.json"
	previousFile = "bench.previous.json"
	plotFile     = "bench.svg"
)

// keepPrevious renames the results of the last run.
func keepPrevious(dir string) error {
	err := os.Rename(filepath.Join(dir, resultsFile), filepath.Join(dir, previousFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
