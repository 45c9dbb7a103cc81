package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/bunnicula-go/bunnicula/topology"
)

// order tells a side's process what to do.
type order struct {
	Case, Side string
	URL, Queue string
	QueueType  topology.QueueType
	Queues     int // 0 is one, which has the name Queue; of several it is the prefix
	Size       int // of a body, in bytes
	Count      int // measured messages
	Warm       int // warm-up messages
	StatsD     string
	BrokerPIDs []int // none if unknown
	Within     time.Duration
	Profile    string // the prefix of the profiles' files; "" for none
}

// report is the answer of a side's process.
type report struct {
	Sample sample `json:",omitempty"`
	Error  string `json:",omitempty"`
}

// sideEnv is the environment variable with the order. With it, this program runs that side and
// nothing else.
const sideEnv = "BUNNICULA_BENCH_SIDE"

// isSide runs a side, or a child of one, if this process is one, and returns its exit code.
func isSide() (code int, yes bool) {
	if text := os.Getenv(childEnv); text != "" {
		if err := runChild(text); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			return 1, true
		}
		return 0, true
	}
	text := os.Getenv(sideEnv)
	if text == "" {
		return 0, false
	}
	go func() { // the parent holds the other end, which closes when the parent dies
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(3)
	}()
	var r report
	s, err := runSide(text)
	if err != nil {
		r.Error = err.Error()
		code = 1
	}
	r.Sample = s
	if err := json.NewEncoder(os.Stdout).Encode(r); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		return 1, true
	}
	return code, true
}

func runSide(text string) (sample, error) {
	var o order
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		return nil, err
	}
	s, err := findSide(o)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(context.Background(), o.Within, errTooSlow)
	defer cancel()
	r := &run{order: o, meter: newMeter(int64(o.Warm), int64(o.Count), o.BrokerPIDs), body: makeBody(o.Size)}
	if err := profiled(o.Profile, func() error { return s.do(ctx, r) }); err != nil {
		return nil, err
	}
	if r.own != nil {
		return r.own, nil
	}
	return r.meter.sample(), nil
}

// findSide returns the side that an order names.
func findSide(o order) (side, error) {
	c, found := findCase(o.Case)
	if !found {
		return side{}, fmt.Errorf("there is no case %q", o.Case)
	}
	for _, s := range c.Sides {
		if s.Name == o.Side {
			return s, nil
		}
	}
	return side{}, fmt.Errorf("case %q has no side %q", o.Case, o.Side)
}

var errTooSlow = errors.New("it took too long")

// run is one side in one round, in its own process.
type run struct {
	order

	meter *meter
	body  []byte // a message's
	own   sample // replaces the meter's, if set
}
