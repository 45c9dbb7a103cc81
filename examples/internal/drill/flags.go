package drill

import (
	"fmt"
	"slices"
	"strings"
)

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
