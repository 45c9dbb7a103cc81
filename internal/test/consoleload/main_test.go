package consoleload

import (
	"flag"
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"
)

var (
	messages = flag.Int("messages", 20_000, "how many messages are parked")
	rounds   = flag.Int("rounds", 3, "readings of the console and of errorqueue that are compared")
	slack    = flag.Float64("slack", 1, "what a bound on a time is multiplied by")
	settle   = flag.Bool("settle", false, "wait until earlier readings are dropped, and look at the memory then: six minutes")
)

// TestMain is the main function of a console too.
func TestMain(m *testing.M) {
	if text := os.Getenv(taskVariable); text != "" {
		if err := serve(text); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}
