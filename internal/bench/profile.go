package main

import (
	"errors"
	"os"
	"runtime/pprof"
	"strings"
	"unicode"
)

// profiled writes a CPU profile of what f does to a file, if one is named.
func profiled(file string, f func() error) (err error) {
	if file == "" {
		return f()
	}
	out, err := os.Create(file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	if err := pprof.StartCPUProfile(out); err != nil {
		return err
	}
	defer pprof.StopCPUProfile()
	return f()
}

// profilesDir is where the profiles are, beneath the results.
const profilesDir = "profiles"

// profileName is the file of a side, that of its last round.
func profileName(v variant, s side) string {
	plain := func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return r
		}
		return '-'
	}
	return strings.Map(plain, v.Name()) + "." + strings.Map(plain, s.Name) + ".pprof"
}
