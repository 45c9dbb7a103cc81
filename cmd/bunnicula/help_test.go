package main

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spf13/cobra"
)

// all returns the command and its subcommands, without cobra's own.
func all(cmd *cobra.Command) []*cobra.Command {
	found := []*cobra.Command{cmd}
	for _, c := range cmd.Commands() {
		if c.Name() != "help" && c.Name() != "completion" {
			found = append(found, all(c)...)
		}
	}
	return found
}

func TestEachCommandHelpsWithAnExample(t *testing.T) {
	commands := all((&app{}).root())
	if len(commands) < 10 {
		t.Fatalf("%d commands, want 10 at least", len(commands))
	}
	for _, cmd := range commands {
		name := cmd.CommandPath()
		if cmd.Short == "" || cmd.Long == "" || !strings.Contains(cmd.Example, "bunnicula ") {
			t.Errorf("%s has no text, or no example", name)
		}
		for line := range strings.Lines(cmd.Long + "\n" + cmd.Example) {
			if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > 100 {
				t.Errorf("%s: a line of %d: %s", name, n, line)
			}
		}
		args := append(strings.Fields(name)[1:], "--help")
		r := offline(t).run(args...).want(t, exitOK, cmd.Example)
		compare(t, "help-"+strings.ReplaceAll(strings.TrimPrefix(name, "bunnicula "), " ", "-")+".txt", r.out)
		if len(cmd.Commands()) > 0 && name != "bunnicula console" { // without an argument they print help too
			if bare := offline(t).run(strings.Fields(name)[1:]...); bare.code != exitOK || bare.out != r.out {
				t.Errorf("%s without arguments: exit code %d, and not its help:\n%s", name, bare.code, bare.out)
			}
		}
	}
}

func TestShellsAreCompleted(t *testing.T) {
	offline(t).run("completion", "bash").want(t, exitOK, "bash completion")
	offline(t).run("__complete", "topology", "").want(t, exitOK, "apply\tDeclare what is in a topology file")
}

func TestItKnowsItsVersion(t *testing.T) {
	offline(t).run("--version").want(t, exitOK, "bunnicula version ", "go1.")
}
