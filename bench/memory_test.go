package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
)

func TestAShortSteadyLoadIsSampledWrittenAndShown(t *testing.T) {
	t.Setenv("AMQP_URL", amqptest.URL(t))
	dir := t.TempDir()
	code, out, complaints := call(t, t.Context(), "-memory", "2s", "-out", dir)
	if code != 0 || complaints != "" || !strings.Contains(out, "live heap, MiB") || !strings.Contains(out, "a hint only") {
		t.Fatalf("code %d\n%s\n%s", code, out, complaints)
	}
	file := filepath.Join(dir, memoryFile)
	var m memoryRun
	if err := readJSON(file, &m); err != nil {
		t.Fatal(err)
	}
	if m.Published == 0 || m.Acked+m.Parked < m.Published || m.Retried == 0 || m.Parked == 0 || len(m.Samples) < 5 {
		t.Errorf("published %d, acked %d, retried %d, parked %d, %d samples", m.Published, m.Acked, m.Retried, m.Parked, len(m.Samples))
	}
	last := m.Samples[len(m.Samples)-1]
	if last.Live <= 0 || last.Goroutines < 10 || last.Collections < 1 || last.Handled <= 0 || last.P99 <= 0 || last.Client <= 0 {
		t.Errorf("the last sample is %+v", last)
	}
	shown := t.TempDir()
	code, again, complaints := call(t, t.Context(), "-show", file, "-out", shown)
	if code != 0 || !strings.HasPrefix(again, strings.Split(out, "\nwritten")[0]) {
		t.Errorf("-show: code %d\n%s\n%s\nwant\n%s", code, again, complaints, out)
	}
	if _, err := os.Stat(filepath.Join(shown, memoryPlot)); err != nil {
		t.Error(err)
	}
}

func TestAnInterruptedSteadyLoadKeepsWhatItHas(t *testing.T) {
	t.Setenv("AMQP_URL", amqptest.URL(t))
	dir := t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	code, out, complaints := call(t, ctx, "-memory", "12s", "-out", dir)
	if code != exitInterrupted || !strings.Contains(complaints, "interrupted") || !strings.Contains(out, "RSS, MiB") {
		t.Errorf("code %d\n%s\n%s", code, out, complaints)
	}
	if _, err := os.Stat(filepath.Join(dir, memoryFile)); err != nil {
		t.Error(err)
	}
}

func TestTheResidentSetHoldsWhatWasTouched(t *testing.T) {
	before := residentSet()
	if before == 0 {
		t.Skip("there is no /proc here")
	}
	touched := make([]byte, 64*mib)
	for i := 0; i < len(touched); i += 4096 {
		touched[i] = 1
	}
	if more := residentSet() - before; more < 48 || more > 128 {
		t.Errorf("%.1f MiB more after 64 were touched", more)
	}
	_ = touched[0]
}
