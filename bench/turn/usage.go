package turn

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"syscall"
	"time"
)

// usage is what this process, and the broker, have used so far.
type usage struct {
	at            time.Time
	client        time.Duration // CPU
	broker        time.Duration
	brokerKnown   bool
	reads, writes float64 // system calls
	callsKnown    bool
	memory        runtime.MemStats
}

// used reads the clock first. Reading the other figures takes a moment, and the following work must
// not look faster because of that.
func used(brokerPIDs []int) *usage {
	u := &usage{at: time.Now()}
	u.client = OwnCPU()
	u.reads, u.writes, u.callsKnown = systemCalls()
	u.broker, u.brokerKnown = ProcessCPU(brokerPIDs)
	runtime.ReadMemStats(&u.memory)
	return u
}

// OwnCPU returns this process's CPU, user and system.
func OwnCPU() time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		return 0
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// systemCalls returns the reads and writes of this process, where Linux counts them.
func systemCalls() (reads, writes float64, known bool) {
	text, err := os.ReadFile("/proc/self/io")
	if err != nil {
		return 0, 0, false
	}
	for line := range bytes.Lines(text) {
		var name string
		var n float64
		if _, err := fmt.Sscan(string(line), &name, &n); err != nil {
			continue
		}
		switch name {
		case "syscr:":
			reads = n
		case "syscw:":
			writes = n
		}
	}
	return reads, writes, true
}

// ticks is the number of ticks in a second in /proc (USER_HZ), on every Linux that Go supports.
const ticks = 100

// ProcessCPU returns the CPU of other processes together, if they are on this machine and Linux
// shows it.
func ProcessCPU(pids []int) (all time.Duration, known bool) {
	for _, pid := range pids {
		stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
		if err != nil {
			return 0, false
		}
		one, ok := parseStat(stat)
		if !ok {
			return 0, false
		}
		all += one
	}
	return all, len(pids) > 0
}

// parseStat reads utime and stime of proc_pid_stat(5). The name in parentheses can contain
// anything.
func parseStat(stat []byte) (time.Duration, bool) {
	behind := bytes.LastIndexByte(stat, ')')
	if behind < 0 {
		return 0, false
	}
	fields := bytes.Fields(stat[behind+1:])
	if len(fields) < 13 {
		return 0, false
	}
	user, err := strconv.ParseInt(string(fields[11]), 10, 64)
	if err != nil {
		return 0, false
	}
	system, err := strconv.ParseInt(string(fields[12]), 10, 64)
	if err != nil {
		return 0, false
	}
	return time.Duration(user+system) * time.Second / ticks, true
}

// sampleOf returns the usage between two moments, divided by so many messages.
func sampleOf(from, to *usage, messages int64) Sample {
	n := float64(messages)
	s := Sample{
		Rate:      n / to.at.Sub(from.at).Seconds(),
		ClientCPU: (to.client - from.client).Seconds() / n * 100_000,
		Allocs:    float64(to.memory.Mallocs-from.memory.Mallocs) / n,
		Bytes:     float64(to.memory.TotalAlloc-from.memory.TotalAlloc) / n,
	}
	if from.brokerKnown && to.brokerKnown {
		s[BrokerCPU] = (to.broker - from.broker).Seconds() / n * 100_000
	}
	if from.callsKnown && to.callsKnown {
		s[Reads], s[Writes] = (to.reads-from.reads)/n, (to.writes-from.writes)/n
	}
	return s
}
