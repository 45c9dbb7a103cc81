package main

import (
	"context"
	"fmt"

	"github.com/bunnicula-go/bunnicula/bench/turn"
)

// run is a turn of a side of this program.
type run struct{ *turn.Run }

// findSide returns the side of an order.
func findSide(o turn.Order) (turn.Do, error) {
	c, found := findCase(o.Case)
	if !found {
		return nil, fmt.Errorf("there is no case %q", o.Case)
	}
	for _, s := range c.Sides {
		if s.Name == o.Side {
			return func(ctx context.Context, r *turn.Run) error { return s.do(ctx, &run{r}) }, nil
		}
	}
	return nil, fmt.Errorf("case %q has no side %q", o.Case, o.Side)
}
