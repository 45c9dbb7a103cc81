//go:build unix

package faults_test

import (
	"context"
	"fmt"
	"maps"
	"os"
	"runtime"
	"syscall"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/monitoring"
)

// memoryScenarios have workers with little memory.
var memoryScenarios = []scenario{
	{
		name:   "out-of-memory",
		breaks: "two workers may use 256 MiB more than at their start, and a message needs more than there is",
		types:  quorumOnly, spec: consumer.Spec{Concurrency: 4, Prefetch: 20, MaxCrashes: 4},
		tune: func(s *slot) { s.config.MemoryMiB = 256 },
		run: func(s *stage) {
			s.publish(mix{"slow 20ms": 150, "ack": 100, "retry 1": 10, "error": 5, "hoard": 1})
			s.workers(2)
			s.finish()
			for _, l := range s.lanes {
				if !l.logged("out of memory") && !l.logged("failed to allocate") {
					s.t.Errorf("%s: no worker died of its memory", l.kind)
				}
			}
		},
	},
}

func init() {
	maps.Copy(behaviours, map[string]behaviour{
		// "hoard" allocates until the memory limit ends the process.
		"hoard": {parked: monitoring.ReasonCrashed, kills: true, do: func(context.Context, visit) consumer.Result {
			var all [][]byte
			for range 1024 { // MiB
				block := make([]byte, 1<<20)
				for i := 0; i < len(block); i += 4096 {
					block[i] = 1
				}
				all = append(all, block)
			}
			runtime.KeepAlive(all)
			os.Exit(exitKiller) // a system without this limit
			return consumer.Ack()
		}},
	})
}

// limitMemory makes the process die when it needs so much more than it has now. The limit is for
// data, because the race detector reserves terabytes of addresses.
func limitMemory(mib int) {
	used := dataSize()
	if used == 0 {
		return // a system that does not tell
	}
	most := used + uint64(mib)<<20
	if err := syscall.Setrlimit(syscall.RLIMIT_DATA, &syscall.Rlimit{Cur: most, Max: most}); err != nil {
		fmt.Fprintln(os.Stderr, "limit memory:", err)
		os.Exit(exitStart)
	}
}
