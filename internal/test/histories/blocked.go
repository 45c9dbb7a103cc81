package histories

import (
	"runtime"
	"strconv"
	"strings"
)

// Blocked are the stacks of the goroutines of the last bubble, for a history that hangs.
func Blocked() string {
	buf := make([]byte, 4<<20)
	buf = buf[:runtime.Stack(buf, true)]
	last, stacks := 0, []string(nil)
	for _, g := range strings.Split(string(buf), "\n\n") {
		first, _, _ := strings.Cut(g, "\n")
		_, after, is := strings.Cut(first, "synctest bubble ")
		bubble, err := strconv.Atoi(strings.TrimSuffix(after, "]:"))
		if !is || err != nil || bubble < last {
			continue
		}
		if bubble > last {
			last, stacks = bubble, nil
		}
		stacks = append(stacks, g)
	}
	return strings.Join(stacks, "\n\n")
}
