package main

import (
	"os"
	"strconv"
	"testing"
	"time"
)

func TestTheNameOfAProcessCanHoldAnything(t *testing.T) {
	const behind = " S 1 77 77 0 -1 4194560 100 0 0 0 250 150 0 0 20 0 1 0 100 1000 10"
	for _, name := range []string{"(beam.smp)", "(a b) c)", "(()"} {
		if got, ok := parseStat([]byte("77 " + name + behind)); !ok || got != 4*time.Second {
			t.Errorf("%s: %v, %v, want 4s", name, got, ok)
		}
	}
	for _, bad := range []string{"", "77 (beam.smp) S 1", "77 (x) S 1 77 77 0 -1 4194560 100 0 0 0 a b 0"} {
		if _, ok := parseStat([]byte(bad)); ok {
			t.Errorf("%q is taken for a stat", bad)
		}
	}
}

func TestWhatIsUsedBetweenTwoMomentsIsMeasured(t *testing.T) {
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		t.Skip("there is no /proc here")
	}
	from := used([]int{os.Getpid()})
	var keep [][]byte
	for end := ownCPU() + 100*time.Millisecond; ownCPU() < end; {
		keep = append(keep, make([]byte, 1024))
	}
	to := used([]int{os.Getpid()})
	s := sampleOf(from, to, int64(len(keep)))
	if s[allocs] < 1 || s[bytesUsed] < 1024 {
		t.Errorf("%.2f allocations and %.0f bytes each, want at least 1 and 1024", s[allocs], s[bytesUsed])
	}
	if cpu := s[clientCPU] / 100_000 * float64(len(keep)); cpu < 0.1 || cpu > 10 {
		t.Errorf("%.3f s of CPU, want 0.1 and a little", cpu)
	}
	if cpu, known := s[brokerCPU]; !known || cpu <= 0 { // of this process
		t.Errorf("broker %v, %v", cpu, known)
	}
	if _, known := s[reads]; !known {
		t.Error("no system calls")
	}
	if s[rate] <= 0 {
		t.Errorf("rate %v", s[rate])
	}
}

func TestWhatCannotBeKnownIsLeftOut(t *testing.T) {
	s := sampleOf(used(nil), used(nil), 1)
	if _, known := s[brokerCPU]; known {
		t.Error("the CPU of no broker is known")
	}
	if _, known := processCPU([]int{1 << 30}); known {
		t.Error("the CPU of no process is known")
	}
}

func TestAListeningSocketIsFoundByItsPort(t *testing.T) {
	table := []byte(`  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:162A 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0000000000000000 100 0 0 10 0
   1: 0100007F:162A 0100007F:9C40 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 0000000000000000 20 4 30 10 -1
   2: 0100007F:162B 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4713 1 0000000000000000 100 0 0 10 0
`)
	got := listening(table, 5674)
	if len(got) != 1 || got[0] != "socket:[4711]" {
		t.Errorf("port %d: %v", 5674, strconv.Quote(got[0]))
	}
	if got := listening(table, 40000); len(got) != 0 {
		t.Errorf("a connected port is taken for a listening one: %v", got)
	}
}
