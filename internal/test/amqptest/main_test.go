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

// workers are what the test binary does as a [amqptest.Process].
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
		for range 64 { // to 1 GB and no further, should nobody hold it back
			all = append(all, strings.Repeat("x", 16<<20))
			fmt.Println(16*len(all), "MB")
		}
		return 0
	},
}
