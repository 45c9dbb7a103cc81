package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/bunnicula-go/bunnicula/console"
)

func consoleHashCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "hash",
		Short: "Make the hash of a password, for --auth basic:FILE",
		Long: `Reads a password and prints its hash, for a line of the file of --auth basic:FILE.
At a terminal it asks, and shows nothing of what is typed; otherwise the password is
the first line of standard input. A password has 72 bytes at most.`,
		Example: `  bunnicula console hash
  echo "ann:$(bunnicula console hash):orders*=move" >> users
  bunnicula console hash < /run/secrets/password`,
		Args: want(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			password, err := a.password()
			if err != nil {
				return err
			}
			hash, err := console.HashPassword(password)
			if err != nil {
				return usage(errors.New(strings.TrimPrefix(err.Error(), "console: ")))
			}
			fmt.Fprintln(a.out, hash)
			return nil
		},
	}
}

// password asks for a password, or reads the first line of standard input.
func (a *app) password() (string, error) {
	if f, ok := a.in.(*os.File); ok && a.asks {
		before, err := term.GetState(int(f.Fd()))
		if err != nil {
			return "", err
		}
		fmt.Fprint(a.err, "Password: ")
		type typed struct {
			password []byte
			err      error
		}
		done := make(chan typed, 1)
		go func() { // ends with the process if nobody answers
			password, err := term.ReadPassword(int(f.Fd()))
			done <- typed{password, err}
		}()
		select {
		case t := <-done:
			fmt.Fprintln(a.err)
			return string(t.password), t.err
		case <-a.interrupt.Done():
			_ = term.Restore(int(f.Fd()), before)
			fmt.Fprintln(a.err)
			return "", a.interrupt.Err()
		}
	}
	line, err := bufio.NewReader(a.in).ReadString('\n')
	if line == "" && err != nil {
		return "", usage(errors.New("standard input is empty, want a password"))
	}
	return strings.TrimRight(line, "\r\n"), nil
}
