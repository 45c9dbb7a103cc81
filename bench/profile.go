package main

import (
	"errors"
	"os"
	"runtime/pprof"
	"strings"
	"unicode"
)

// profiled writes a CPU profile and one of the allocations of what f does to files, if they are named.
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

// profilesDir is where the profiles are, beneath the results.
const profilesDir = "profiles"

// profileName is what the files of a side begin with. Those of its last round stay.
func profileName(v variant, s side) string {
	plain := func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return r
		}
		return '-'
	}
	return strings.Map(plain, v.Name()) + "." + strings.Map(plain, s.Name)
}
