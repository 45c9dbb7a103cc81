package drill

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
)

// ParseFlags parses the flags of fs. With -h it prints usage and all flags on help, and returns
// flag.ErrHelp; it prints nothing else.
func ParseFlags(fs *flag.FlagSet, args []string, usage string, help io.Writer) error {
	fs.SetOutput(io.Discard)
	err := fs.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		_, _ = fmt.Fprint(help, usage)
		fs.SetOutput(help)
		fs.PrintDefaults()
	}
	return err
}

// Within is nil if a flag's value is in these limits.
func Within(flag string, value, least, most int) error {
	if value < least || value > most {
		return fmt.Errorf("%s is %d, want %d to %d", flag, value, least, most)
	}
	return nil
}

// Among is nil if a flag names only what there is.
func Among(flag string, names []string, known ...string) error {
	for _, name := range names {
		if !slices.Contains(known, name) {
			return fmt.Errorf("%s names %q, want some of %s", flag, name, strings.Join(known, ","))
		}
	}
	return nil
}
