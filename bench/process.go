package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"time"

	"github.com/bunnicula-go/bunnicula/bench/turn"
)

// play runs a side in its own process: this program again, or another program.
func play(ctx context.Context, program string, o turn.Order) (turn.Sample, error) {
	text, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	// The process has its own limit, at which it stops more gracefully.
	ctx, cancel := context.WithTimeout(ctx, o.Within+30*time.Second)
	defer cancel()
	// A test binary that ignores the order sees this flag, and runs no tests.
	cmd := exec.CommandContext(ctx, program, "-test.run=^$")
	cmd.Env = append(os.Environ(), turn.Env+"="+string(text))
	var said, complained bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &complained
	alive, err := cmd.StdinPipe() // closed by the system when this process dies
	if err != nil {
		return nil, err
	}
	defer alive.Close()
	cmd.WaitDelay = 5 * time.Second
	ended := cmd.Run()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	var r turn.Report
	if err := json.Unmarshal(said.Bytes(), &r); err != nil {
		return nil, fmt.Errorf("its process said nothing that can be read (%w): %s%s", ended, said.Bytes(), complained.Bytes())
	}
	if r.Error != "" || ended != nil {
		return nil, fmt.Errorf("%s %w", r.Error, ended)
	}
	return r.Sample, nil
}
