package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
)

func TestWhatADryRunHasCountedIsMovedLaterAndNothingElse(t *testing.T) {
	t.Parallel()
	queue := park(t, 12)
	s := online(t)
	now := time.Now().Add(time.Hour).UTC().Format(time.RFC3339) // the second kind is older than 3h then
	dry := s.run("errors", "redrive", queue, "older=3h", "newer=24h", "--now", now, "--dry-run", "--json").want(t, exitOK)
	var plan struct{ Read, Matched int }
	if err := json.Unmarshal([]byte(dry.out), &plan); err != nil || plan.Read != 12 || plan.Matched != 4 {
		t.Fatalf("%v, %s", err, dry.out)
	}
	publishParked(t, amqptest.Channel(t), queue, 13) // of the second kind too
	amqptest.Eventually(t, 10*time.Second, func() bool { return amqptest.Depth(t, queue+"-error") == 13 }, "not all are parked")
	file := filepath.Join(t.TempDir(), "settled")
	args := []string{"errors", "redrive", queue, "older=3h", "newer=24h", "--yes", "--settled", file}
	s.run(args...).want(t, exitOK, "nothing to redrive")
	if _, err := os.Lstat(file); !os.IsNotExist(err) {
		t.Errorf("nothing was moved, and the file is there: %v", err)
	}
	args = append(args, "--now", now, "--within", strconv.Itoa(plan.Read))
	s.run(args...).want(t, exitOK, "4 messages of ")
	depths(t, queue, 9, 4)
	marks, err := os.ReadFile(file)
	if all := strings.Fields(string(marks)); err != nil || len(all) != 4 || slices.Contains(all, mark005) {
		t.Errorf("settled: %q, %v", marks, err)
	}
	s.run(args...).want(t, exitUsage, "--settled is", "want a file that is not there yet")
	s.run("errors", "discard", queue, "--all", "--within", "2", "--yes", "--settled", file+"2").want(t, exitOK, "2 messages of ")
	s.run("errors", "discard", queue, "--all", "--within", "-1", "--yes").want(t, exitUsage, `--within is "-1", want 0 or above`)
	depths(t, queue, 7, 4)
}
