package turn

import (
	"errors"
	"os"
	"runtime/pprof"
)

// profiled writes a CPU profile of f and one of its allocations to files with this name, unless it
// is "".
func profiled(name string, f func() error) (err error) {
	if name == "" {
		return f()
	}
	cpu, err := os.Create(name + ".cpu.pprof")
	if err != nil {
		return err
	}
	if err := pprof.StartCPUProfile(cpu); err != nil {
		return errors.Join(err, cpu.Close())
	}
	err = f()
	pprof.StopCPUProfile()
	err = errors.Join(err, cpu.Close())
	allocs, e := os.Create(name + ".allocs.pprof")
	if e != nil {
		return errors.Join(err, e)
	}
	return errors.Join(err, pprof.Lookup("allocs").WriteTo(allocs, 0), allocs.Close())
}
