package turn

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
)

// Do is one way to do the work.
type Do func(context.Context, *Run) error

// Take plays the side that this process was started for. It returns the exit code, and false if
// the process was started for something else. find returns the side of an order.
func Take(find func(Order) (Do, error)) (code int, ordered bool) {
	text := os.Getenv(Env)
	if text == "" {
		return 0, false
	}
	go func() { // the parent holds the other end, which closes when the parent dies
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(3)
	}()
	var r Report
	s, err := play(text, find)
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

func play(text string, find func(Order) (Do, error)) (Sample, error) {
	var o Order
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		return nil, err
	}
	do, err := find(o)
	if err != nil {
		return nil, err
	}
	ctx, cancel := o.Context()
	defer cancel()
	r := &Run{Order: o, Meter: NewMeter(int64(o.Warm), int64(o.Count), o.BrokerPIDs), Body: Body(o.Size)}
	if err := profiled(o.Profile, func() error { return do(ctx, r) }); err != nil {
		return nil, err
	}
	if r.Own != nil {
		return r.Own, nil
	}
	return r.Meter.Sample(), nil
}
