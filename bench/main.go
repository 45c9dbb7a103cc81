package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

func main() {
	if code, yes := isSide(); yes {
		os.Exit(code)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second ^C ends the process at once
	os.Exit(bench(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// Exit codes, besides 0.
const (
	exitFailed      = 1
	exitUsage       = 2
	exitInterrupted = 130
)

func bench(ctx context.Context, args []string, stdout io.Writer, stderr *os.File) int {
	o, err := parse(args, stdout)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		fmt.Fprintf(stderr, "bench: %v (-h for help)\n", err)
		return exitUsage
	case o.list:
		for _, v := range o.variants() {
			fmt.Fprintf(stdout, "%-30s%8d  %s\n", v.Name(), v.Count, v.Work)
		}
		return 0
	}
	if o.page != "" {
		if err := writePage(o.page); err != nil {
			fmt.Fprintln(stderr, "bench: -page:", err)
			return exitFailed
		}
		return 0
	}
	var old *results
	// The file is read first: a missing file must not cost an hour.
	if o.compare != "" {
		r, err := readResults(o.compare)
		if err != nil {
			fmt.Fprintln(stderr, "bench: -compare:", err)
			return exitUsage
		}
		old = &r
	}
	if o.show != "" {
		return show(o, old, stdout, stderr)
	}
	if o.url == "" && !o.peer {
		fmt.Fprintln(stderr, "bench: AMQP_URL is not set; use make bench, -url or -peer")
		return exitUsage
	}
	if o.memory > 0 {
		return measureMemory(ctx, o, stdout, stderr)
	}
	return measure(ctx, o, old, stdout, stderr)
}

// show prints the results of an earlier run.
func show(o options, old *results, stdout, stderr io.Writer) int {
	var of memoryRun
	if err := readJSON(o.show, &of); err == nil && len(of.Samples) > 0 {
		return of.show(o.out, stdout, stderr)
	}
	r, err := readResults(o.show)
	if err != nil {
		fmt.Fprintln(stderr, "bench: -show:", err)
		return exitUsage
	}
	printHead(stdout, &r)
	for _, c := range r.Cases {
		printCase(stdout, c)
	}
	printEnd(stdout, &r, old)
	name := filepath.Join(o.out, plotFile)
	if err := errors.Join(os.MkdirAll(o.out, 0o755), r.draw(o.out)); err != nil {
		fmt.Fprintln(stderr, "bench:", err)
		return exitFailed
	}
	fmt.Fprintf(stdout, "\nwritten: %s\n", name)
	return 0
}

func printEnd(w io.Writer, r, old *results) {
	printGoals(w, r)
	if old != nil {
		printComparison(w, old, r)
	}
}

// measure plays the cases one after the other. After each it writes the results so far.
func measure(ctx context.Context, o options, old *results, stdout io.Writer, stderr *os.File) int {
	complain := func(err error) int {
		fmt.Fprintln(stderr, "bench:", err)
		return exitFailed
	}
	run := &runner{}
	if !o.peer {
		b, err := openBroker(o.url)
		if err != nil {
			return complain(err)
		}
		defer b.close()
		run.broker = b
	}
	addr, closeMetrics, err := dropMetrics()
	if err != nil {
		return complain(err)
	}
	defer closeMetrics()
	run.statsd = addr
	if o.profile {
		run.profiles = filepath.Join(o.out, profilesDir)
		if err := os.MkdirAll(run.profiles, 0o755); err != nil {
			return complain(err)
		}
	}
	if err := keepPrevious(o.out); err != nil {
		return complain(err)
	}
	show, clearLine := newProgress(stderr)
	all := o.variants()
	r := &results{When: time.Now().Round(time.Second), Machine: thisMachine(run.broker), Rounds: o.rounds, Quick: o.quick, Peer: o.peer}
	if o.others != "" {
		run.others = o.others
		if r.Machine.Libraries, err = readLibraries(o.others, r.Machine.Client); err != nil {
			return complain(err)
		}
	}
	run.setting = r.setting()
	printHead(stdout, r)
	code := 0
	for i, v := range all {
		run.progress = func(format string, args ...any) {
			show("%d/%d "+format, append([]any{i + 1, len(all)}, args...)...)
		}
		c, err := run.playCase(ctx, v, o.rounds)
		clearLine()
		if ctx.Err() != nil {
			fmt.Fprintln(stderr, "bench: interrupted")
			code = exitInterrupted
			if err != nil && !errors.Is(err, context.Canceled) {
				fmt.Fprintln(stderr, "bench:", err)
			}
			break
		}
		if err != nil { // the other cases may work
			code = complain(err)
			continue
		}
		r.Cases = append(r.Cases, c)
		printCase(stdout, c)
		if err := r.write(o.out); err != nil {
			return complain(err)
		}
	}
	printEnd(stdout, r, old)
	if len(r.Cases) > 0 {
		fmt.Fprintf(stdout, "\nwritten: %s, %s\n", filepath.Join(o.out, resultsFile), filepath.Join(o.out, plotFile))
	}
	return code
}
