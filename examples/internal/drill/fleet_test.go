package drill_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/examples/internal/drill"
	"github.com/bunnicula-go/bunnicula/examples/internal/drill/drilltest"
)

func TestMain(m *testing.M) { drilltest.Main(m, program) }

// program runs until its input ends, or it is told to die.
func program() {
	if os.Args[1] == "broken" {
		os.Exit(1)
	}
	fmt.Println(drill.Ready)
	fmt.Println("took", os.Args[1])
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		os.Exit(1)
	}
	os.Exit(0)
}

func started(t *testing.T, toll *drill.Toll, heard func(event, what string), names ...string) (*drill.Fleet, error) {
	t.Helper()
	var posts []drill.Post
	for _, name := range names {
		posts = append(posts, drill.Post{Name: name, Command: drill.Self(nil, name)})
	}
	fleet := drill.NewFleet(posts, toll, io.Discard, heard)
	t.Cleanup(fleet.Stop)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	return fleet, fleet.Start(ctx)
}

func TestAProcessThatDiesIsStartedAgainAndCountedByHowItDied(t *testing.T) {
	var toll drill.Toll
	var told atomic.Int32
	fleet, err := started(t, &toll, func(event, what string) {
		if event == drill.Ready || event == "took" && what == "" {
			t.Errorf("heard %s %q", event, what)
		}
		told.Add(1)
	}, "one", "two")
	if err != nil {
		t.Fatal(err)
	}
	await(t, func() bool { return told.Load() == 2 })
	if !fleet.Kill("two") || fleet.Kill("three") {
		t.Error("two was not killed, or three was")
	}
	await(t, func() bool { return told.Load() == 3 })
	if !fleet.Doom("die") {
		t.Error("nobody was told to die")
	}
	await(t, func() bool { return told.Load() == 4 })
	fleet.Stop()
	if d := toll.Deaths(); d.Died != 0 {
		t.Errorf("%d died on their own", d.Died)
	}
	if fleet.Kill("one") {
		t.Error("one was killed, and has stopped")
	}
}

func TestProcessesThatNeverStartAreAnError(t *testing.T) {
	var toll drill.Toll
	_, err := started(t, &toll, func(string, string) {}, "broken")
	if err == nil || toll.Deaths().Died != 3 {
		t.Fatalf("%v, after %d deaths", err, toll.Deaths().Died)
	}
	drilltest.MustContain(t, err.Error(), "no process starts; the last one ended before it was ready: exit status 1")
}

func await(t *testing.T, is func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := drill.Every(ctx, func() (bool, error) { return is(), nil }); err != nil {
		t.Fatal(err)
	}
}
