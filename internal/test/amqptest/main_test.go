package amqptest_test

import (
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if work := os.Getenv("AMQPTEST_WORK"); work != "" {
		os.Exit(workers[work]())
	}
	goleak.VerifyTestMain(m)
}

// workers are the functions that the test binary runs as a [amqptest.Process].
var workers = map[string]func() int{
	"exits": func() int {
		fmt.Println("on stdout")
		fmt.Fprintln(os.Stderr, "on stderr")
		fmt.Print("unfinished")
		return 3
	},
	"stops": func() int {
		term := make(chan os.Signal, 1)
		signal.Notify(term, syscall.SIGTERM)
		fmt.Println("ready")
		<-term
		fmt.Println("stopped")
		return 0
	},
	"grows": func() int {
		fmt.Println("ready")
		var all []string
		// The process stops at 1 GB if no limit ends it.
		for range 64 {
			all = append(all, strings.Repeat("x", 16<<20))
			fmt.Println(16*len(all), "MB")
		}
		return 0
	},
}
