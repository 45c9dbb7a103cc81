package partitions_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// ledger is a file that all processes append to. A line is one write, and the kernel puts each at
// the end, so that the order of the lines is the same for all.
type ledger struct{ file *os.File }

func openLedger(name string) (ledger, error) {
	f, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	return ledger{f}, err
}

func (l ledger) write(e entry) {
	e.at = time.Now().UnixMilli()
	if _, err := fmt.Fprintln(l.file, e); err != nil {
		panic(err) // without its ledger the run says nothing
	}
}

// what a line is about
const (
	begun  = "begun"  // a handler has a message, before its first try
	failed = "failed" // a try has failed
	effect = "effect" // a try has done its work
	lost   = "lost"   // a consumer, whose name stands for the key, has lost its session
)

// entry is a line of the ledger.
type entry struct {
	what, process string
	message
	again bool  // the broker has delivered it before
	at    int64 // ms, for whoever reads it
}

func (e entry) String() string {
	return fmt.Sprintf("%s %s %q %d %t %d", e.what, e.process, e.Key, e.N, e.again, e.at)
}

// readLedger reads all lines. One that was not written to its end is an error: a write of so few
// bytes is not divided.
func readLedger(name string) (all []entry, err error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(text)) {
		var e entry
		if _, err := fmt.Sscanf(line, "%s %s %q %d %t %d\n", &e.what, &e.process, &e.Key, &e.N, &e.again, &e.at); err != nil {
			return nil, fmt.Errorf("the line %q of the ledger: %w", line, err)
		}
		all = append(all, e)
	}
	return all, nil
}

func TestTheLedgerIsReadAsItWasWritten(t *testing.T) {
	name := t.TempDir() + "/ledger"
	want := []entry{
		{begun, "p1-1", message{"a key", 7}, true, 0}, {effect, "p1-1", message{"a key", 7}, false, 0}, {lost, "p2-1", message{Key: "q.p00"}, false, 0},
	}
	for _, e := range want { // each from a process of its own
		l, err := openLedger(name)
		if err != nil {
			t.Fatal(err)
		}
		l.write(e)
		_ = l.file.Close()
	}
	got, err := readLedger(name)
	if err != nil || len(got) != len(want) {
		t.Fatalf("%v, %v", got, err)
	}
	for i := range want {
		if got[i].at = 0; got[i] != want[i] {
			t.Errorf("%v, want %v", got[i], want[i])
		}
	}
}
