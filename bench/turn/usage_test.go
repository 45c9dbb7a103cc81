package turn

import (
	"os"
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
	for end := OwnCPU() + 100*time.Millisecond; OwnCPU() < end; {
		keep = append(keep, make([]byte, 1024))
	}
	to := used([]int{os.Getpid()})
	s := sampleOf(from, to, int64(len(keep)))
	if s[Allocs] < 1 || s[Bytes] < 1024 {
		t.Errorf("%.2f allocations and %.0f bytes each, want at least 1 and 1024", s[Allocs], s[Bytes])
	}
	if cpu := s[ClientCPU] / 100_000 * float64(len(keep)); cpu < 0.1 || cpu > 10 {
		t.Errorf("%.3f s of CPU, want 0.1 and a little", cpu)
	}
	if cpu, known := s[BrokerCPU]; !known || cpu <= 0 { // of this process
		t.Errorf("broker %v, %v", cpu, known)
	}
	if _, known := s[Reads]; !known {
		t.Error("no system calls")
	}
	if s[Rate] <= 0 {
		t.Errorf("rate %v", s[Rate])
	}
}

func TestWhatCannotBeKnownIsLeftOut(t *testing.T) {
	s := sampleOf(used(nil), used(nil), 1)
	if _, known := s[BrokerCPU]; known {
		t.Error("the CPU of no broker is known")
	}
	if _, known := ProcessCPU([]int{1 << 30}); known {
		t.Error("the CPU of no process is known")
	}
}
