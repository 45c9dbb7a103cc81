package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"
)

// Exit codes. Scripts rely on them.
const (
	exitOK          = 0
	exitFailed      = 1
	exitUsage       = 2
	exitFound       = 3
	exitRefused     = 4
	exitInterrupted = 130
)

// exitError is an error with an exit code.
type exitError struct {
	code int
	err  error // nil if everything was printed already
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// usage makes the error for wrong usage that cobra has not detected.
func usage(err error) error { return &exitError{exitUsage, err} }

// want makes the error for a wrong number of arguments say which ones the command takes.
func want(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if check(cmd, args) == nil {
			return nil
		}
		return usage(fmt.Errorf("%s given, want %s", counted(len(args), "argument is", "arguments are"), cmd.UseLine()))
	}
}

// found returns the error for exit code 3. The findings were printed before.
func found() error { return &exitError{exitFound, nil} }

// exit prints the error and returns the exit code.
func (a *app) exit(err error) int {
	var known *exitError
	switch {
	case a.interrupt.Err() != nil && !(a.endless && err == nil):
		fmt.Fprintln(a.err, "bunnicula: interrupted")
		return exitInterrupted
	case err == nil:
		return exitOK
	case errors.As(err, &known):
		if known.err != nil {
			a.complain(err)
		}
		return known.code
	}
	a.complain(err)
	if !a.started { // cobra has refused the arguments
		fmt.Fprintln(a.err, "See bunnicula --help, or --help behind a command.")
		return exitUsage
	}
	return exitFailed
}

// complain prints an error. It may quote a file or a broker, so control characters are replaced.
func (a *app) complain(err error) { fmt.Fprintln(a.err, "bunnicula:", plainLines(err.Error())) }
