package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// call runs the program with these flags. It returns the exit code, and the text on stdout and
// stderr.
func call(t *testing.T, ctx context.Context, args ...string) (code int, out, complaints string) {
	t.Helper()
	stderr, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	defer stderr.Close()
	var stdout strings.Builder
	code = bench(ctx, args, &stdout, stderr)
	text, err := os.ReadFile(stderr.Name())
	if err != nil {
		t.Fatal(err)
	}
	return code, stdout.String(), string(text)
}

func TestARunIsWrittenShownAndComparedWith(t *testing.T) {
	dir := t.TempDir()
	flags := []string{"-peer", "-run", "consume-1/|many-10/", "-count", "200", "-rounds", "2", "-out", dir}
	code, out, complaints := call(t, t.Context(), flags...)
	if code != 0 || !strings.Contains(out, "consume-1/quorum/256") || !strings.Contains(out, "many-10/quorum/256") || complaints != "" {
		t.Fatalf("code %d\n%s\n%s", code, out, complaints)
	}
	file := filepath.Join(dir, resultsFile)
	r, err := readResults(file)
	if err != nil {
		t.Fatal(err)
	}
	if c, there := r.find("consume-1/quorum/256"); !there || len(c.Sides) != 2 || len(c.Sides[1].Rounds) != 2 || c.Messages != 200 || !r.Peer {
		t.Errorf("written: %+v", r)
	}
	shown := t.TempDir()
	code, out, complaints = call(t, t.Context(), "-show", file, "-compare", file, "-out", shown)
	if code != 0 || !strings.Contains(out, "consume-1/quorum/256") || !strings.Contains(out, "0.0%") {
		t.Errorf("-show: code %d\n%s\n%s", code, out, complaints)
	}
	if _, err := os.Stat(filepath.Join(shown, plotFile)); err != nil {
		t.Error(err)
	}
	code, out, complaints = call(t, t.Context(), append(flags, "-compare", file)...)
	if code != 0 || !strings.Contains(out, "compared with") {
		t.Errorf("-compare: code %d\n%s\n%s", code, out, complaints)
	}
	if _, err := os.Stat(filepath.Join(dir, previousFile)); err != nil {
		t.Errorf("the run before was not kept: %v", err)
	}
}

func TestAProfileIsDrawnForEachSide(t *testing.T) {
	dir := t.TempDir()
	code, out, complaints := call(t, t.Context(), "-peer", "-profile", "-run", "consume-1/", "-count", "200", "-rounds", "2", "-out", dir)
	if code != 0 || complaints != "" {
		t.Fatalf("code %d\n%s\n%s", code, out, complaints)
	}
	for _, pattern := range []string{"*.cpu.pprof", "*.allocs.pprof", "*.cpu.svg"} {
		if files, err := filepath.Glob(filepath.Join(dir, profilesDir, pattern)); err != nil || len(files) != 2 {
			t.Errorf("%s: %v, %v; want one of each side", pattern, files, err)
		}
	}
}

func TestExitCodesTellWhatHappened(t *testing.T) {
	t.Setenv("AMQP_URL", "")
	interrupted, cancel := context.WithCancel(t.Context())
	cancel()
	for _, tt := range []struct {
		name string
		ctx  context.Context
		args []string
		want int
		says string
	}{
		{"help", t.Context(), []string{"-h"}, 0, ""},
		{"list", t.Context(), []string{"-list"}, 0, ""},
		{"a wrong flag", t.Context(), []string{"-nothing"}, exitUsage, "-nothing"},
		{"no broker", t.Context(), nil, exitUsage, "AMQP_URL is not set"},
		{"nothing to compare with", t.Context(), []string{"-compare", "nowhere.json"}, exitUsage, "nowhere.json"},
		{"nothing to show", t.Context(), []string{"-show", "nowhere.json"}, exitUsage, "nowhere.json"},
		{"a broker that is not there", t.Context(), []string{"-url", "amqp://user:secret@127.0.0.1:1/"}, exitFailed, "refused"},
		{"interrupted", interrupted, []string{"-peer", "-run", "consume-1/", "-out", t.TempDir()}, exitInterrupted, "interrupted"},
	} {
		code, out, complaints := call(t, tt.ctx, tt.args...)
		if code != tt.want || !strings.Contains(complaints, tt.says) {
			t.Errorf("%s: code %d, want %d\n%s\n%s", tt.name, code, tt.want, out, complaints)
		}
		if strings.Contains(out+complaints, "secret") {
			t.Errorf("%s: shows the password", tt.name)
		}
	}
}
