package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/bunnicula-go/bunnicula/topology"
)

const mainType = topology.Quorum

// options are the flags.
type options struct {
	selection

	rounds  int
	list    bool
	url     string
	out     string
	compare string
	show    string
	page    string
	profile bool
	memory  time.Duration // 0 measures cases
}

const helpText = `Bench measures Bunnicula beside the raw client, amqp091-go, doing the same work, and beside other libraries.

usage: go run -C bench . [flags]     or: make bench ARGS="[flags]"

  bench                                 everything
  bench -quick                          everything, small, one round: does it work?
  bench -list                           the cases
  bench -run consume-16                 those whose name matches
  bench -run '^publish' -size 4096,262144 -queue both
  bench -run backlog-1000000 -long      what is only measured on request
  bench -run '^broker-' -long           what each argument of our queues costs the broker
  bench -run '^(queues|processes)' -long -rounds 3
                                        many queues in a process, many processes on a queue
  bench -peer -run consume              without a broker
  bench -others bin/bench-others -run '^(consume-16|publish-64)/quorum/256'
                                        also beside other libraries
  bench -profile -run consume-16/quorum/256
                                        where does the time go? (flame graphs, and files for go tool pprof)
  bench -compare old/bench.json         the change since
  bench -memory 1m                      does the memory of one process grow, at 5,000 messages a second? 1h tells
  bench -page docs/PERFORMANCE.md       tables from docs/performance/*.json
  bench -show old/bench.json            print and plot again, measure nothing

A case is named WORK/QUEUE/SIZE. AMQP_URL is the broker, unless -url or -peer is given. The package's doc tells how to read
the figures: go doc ./bench. Ctrl-C ends it, prints what it has, and deletes its queues.
It ends with 0, with 1 if a case failed, with 2 for wrong flags, and with 130 for Ctrl-C. A missed goal is not an error.

`

// parse reads the flags. Its error is for people; flag.ErrHelp means that -h was given.
func parse(args []string, help io.Writer) (options, error) {
	var o options
	var pattern, types, sizes string
	fs := flag.NewFlagSet("bench", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.StringVar(&pattern, "run", "", "only cases whose name matches this `regexp`")
	fs.BoolVar(&o.list, "list", false, "list the cases, and measure nothing")
	fs.BoolVar(&o.quick, "quick", false, "small counts, one round unless -rounds says more, no other sizes")
	fs.IntVar(&o.rounds, "rounds", 0, "how often each side has its turn (default 5)")
	fs.IntVar(&o.count, "count", 0, "how many messages are measured in each case (default each case's own)")
	fs.StringVar(&types, "queue", "", "quorum, classic or both (default quorum, and classic for some cases)")
	fs.StringVar(&sizes, "size", "", "bytes of a message, as in 256,4096 (default 256, and 4096 and 262144 for some cases)")
	fs.BoolVar(&o.long, "long", false, "also what takes very long")
	fs.BoolVar(&o.peer, "peer", false, "without a broker, beside a peer that only counts: the client's own work is left")
	fs.StringVar(&o.others, "others", "", "also the sides of other libraries, which this `program` has (make bench builds it of bench/others)")
	fs.StringVar(&o.url, "url", "", "broker, or the nodes of a cluster with commas between: the first is used, the CPU of all is counted (default AMQP_URL)")
	fs.StringVar(&o.out, "out", filepath.Join(".broker", "results"), "directory for "+resultsFile+" and "+plotFile)
	fs.BoolVar(&o.profile, "profile", false, "also write profiles of each side's CPU and allocations, and a flame graph of the CPU (.cpu.svg), to the directory's "+profilesDir)
	fs.StringVar(&o.compare, "compare", "", "also print the change since this `file`")
	fs.DurationVar(&o.memory, "memory", 0, "measure the memory of one process for so long, as in 1h, and no case; writes "+memoryFile+" and "+memoryPlot)
	fs.StringVar(&o.show, "show", "", "print and plot what this `file` holds, and measure nothing")
	fs.StringVar(&o.page, "page", "", "bring this `file` up to date from the results beside it, and measure nothing")
	if err := fs.Parse(args); errors.Is(err, flag.ErrHelp) {
		fmt.Fprint(help, helpText)
		fs.SetOutput(help)
		fs.PrintDefaults()
		return o, err
	} else if err != nil {
		return o, err
	}
	if rest := fs.Args(); len(rest) > 0 {
		return o, fmt.Errorf("%q is not a flag", rest[0])
	}
	if o.rounds == 0 {
		o.rounds = 5
		if o.quick {
			o.rounds = 1
		}
	}
	o.url = cmp.Or(o.url, os.Getenv("AMQP_URL"))
	return o, o.resolve(pattern, types, sizes)
}

// resolve checks the flags and makes the selection.
func (o *options) resolve(pattern, types, sizes string) (err error) {
	o.chosen = types != "" || sizes != ""
	switch {
	case o.rounds < 1:
		return fmt.Errorf("-rounds is %d, want 1 or more", o.rounds)
	case o.memory != 0 && o.memory < time.Second:
		return fmt.Errorf("-memory is %v, want 1s or more", o.memory)
	case o.memory != 0 && o.peer:
		return errors.New("-memory needs a broker, and -peer is none")
	case o.count != 0 && o.count < 10:
		return fmt.Errorf("-count is %d, want 10 or more", o.count)
	}
	if pattern != "" {
		if o.pattern, err = regexp.Compile(pattern); err != nil {
			return fmt.Errorf("-run: %w", err)
		}
	}
	if o.types, err = parseTypes(types, o.chosen); err != nil {
		return err
	}
	if o.sizes, err = parseSizes(sizes, o.chosen); err != nil {
		return err
	}
	if o.show == "" && o.page == "" && len(o.variants()) == 0 {
		return o.unknown()
	}
	return nil
}

func parseTypes(text string, chosen bool) ([]topology.QueueType, error) {
	switch {
	case text == "both", text == "" && !chosen:
		return []topology.QueueType{topology.Quorum, topology.Classic}, nil
	case text == "", text == string(topology.Quorum):
		return []topology.QueueType{topology.Quorum}, nil
	case text == string(topology.Classic):
		return []topology.QueueType{topology.Classic}, nil
	}
	return nil, fmt.Errorf("-queue is %q, want quorum, classic or both", text)
}

func parseSizes(text string, chosen bool) ([]int, error) {
	switch {
	case text == "" && chosen:
		return []int{mainSize}, nil
	case text == "":
		return []int{mainSize, 4096, 262144}, nil
	}
	var sizes []int
	for one := range strings.SplitSeq(text, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(one))
		if err != nil || n < 64 || n > 16<<20 {
			return nil, fmt.Errorf("-size has %q, want numbers from 64 to %d", one, 16<<20)
		}
		sizes = append(sizes, n)
	}
	return sizes, nil
}
