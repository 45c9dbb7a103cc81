//go:build unix

package main

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/examples/internal/drill/drilltest"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
)

func TestMakeConsoleStartsAllOfItAndEndsIt(t *testing.T) {
	prefix := exercise(t)
	var out drilltest.Output
	cmd := exec.CommandContext(t.Context(), "make", "-s", "console", "ARGS=-listen 127.0.0.1:0 -prefix "+prefix)
	cmd.Dir, cmd.Stdout, cmd.Stderr = "../..", &out, &out
	// By another name the test's broker is somebody else's, which the target neither starts nor
	// stops.
	url := strings.Replace(amqptest.URL(t), "127.0.0.1", "localhost", 1)
	cmd.Env = append(os.Environ(), "MAKEFLAGS=", "MAKELEVEL=", "BUNNICULA_BROKER=", "AMQP_URL="+url)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait() // make calls an interrupt a failure
	}()
	defer func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }()
	get := browser(t, &out)
	drilltest.MustContain(t, out.String(), "AMQP_URL answers")
	drilltest.MustContain(t, get("/"), prefix+"orders")
	if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGINT); err != nil { // as ^C does
		t.Fatal(err)
	}
	select {
	case <-ended:
	case <-time.After(30 * time.Second):
		t.Fatalf("it does not end\n%s", out.String())
	}
	if err := syscall.Kill(-cmd.Process.Pid, 0); err == nil {
		t.Error("a process is left")
	}
}
