package main

import (
	"debug/buildinfo"
	"fmt"

	"github.com/bunnicula-go/bunnicula/bench/turn"
)

// readLibraries returns the versions of the other libraries in the program bench/others.
func readLibraries(program, client string) (map[string]string, error) {
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		return nil, err
	}
	found, err := libraries(versions(info), client)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", program, err)
	}
	return found, nil
}

// libraries selects the other libraries from all modules of their program. That must have the raw
// client in the version of this program, so that a difference is not one between its versions.
func libraries(modules map[string]string, client string) (map[string]string, error) {
	if has := modules[clientLibrary]; has != client {
		return nil, fmt.Errorf("it has %s %q, and this program has %q", clientLibrary, has, client)
	}
	found := map[string]string{}
	for _, module := range turn.Modules {
		if modules[module] == "" {
			return nil, fmt.Errorf("it does not have %s", module)
		}
		found[module] = modules[module]
	}
	return found, nil
}

// isOther says whether a side is one of another library.
func isOther(side string) bool { return turn.Modules[side] != "" }
