package main

import (
	"context"
	"fmt"
	"os"

	"github.com/bunnicula-go/bunnicula/bench/turn"
)

// run is a turn of a side of this program.
type run struct{ *turn.Run }

// isSide plays a side, or a child of one, if this process was started for that. It returns the exit
// code.
func isSide() (code int, yes bool) {
	if text := os.Getenv(childEnv); text != "" {
		if err := runChild(text); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			return 1, true
		}
		return 0, true
	}
	return turn.Take(workOf)
}

// workOf returns what the side of an order does.
func workOf(o turn.Order) (turn.Do, error) {
	s, err := findSide(o)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, r *turn.Run) error { return s.do(ctx, &run{r}) }, nil
}

// findSide returns the side that an order names.
func findSide(o turn.Order) (side, error) {
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
