package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/bunnicula-go/bunnicula/topology"
)

// Options are the flags.
type Options struct {
	Conversations int
	Seed          uint64
	Rate          int
	FailureRate   float64
	CrashRate     float64

	Concurrency int
	Retries     int
	Backoff     []time.Duration
	Timeout     time.Duration

	URL    string
	Prefix string
	State  string
	Keep   bool
	Fresh  bool
}

// HandlerTimeout is how long a handler may take. With the default it is less than what a stop gives
// handlers.
func (o Options) HandlerTimeout() time.Duration { return max(patience/2, 4*o.Timeout) }

const usage = `Import imports conversations through RabbitMQ, from an API that is rate limited
and fails at times. It plays the API itself.

usage: import [flags]

  import                             300 conversations, some seconds
  import -n 3080 -rate 500           all there are
  import -failure-rate 0.5           every second request fails
  import -keep                       leave the parked messages in their queue
  import -fresh                      forget a stopped import, and start anew

Ctrl-C stops it; a new start with the same flags goes on where it stopped.
It ends with 0 if every conversation is accounted for, 1 if not, 2 for wrong
flags and 130 for Ctrl-C.

`

// parse reads the flags. Its error is printed as it is; flag.ErrHelp means that -h was given.
func parse(args []string, help io.Writer) (Options, error) {
	o := Options{Backoff: []time.Duration{500 * time.Millisecond, time.Second, 2 * time.Second}}
	fs := flag.NewFlagSet("import", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.IntVar(&o.Conversations, "n", 300, "how many conversations, up to 3080")
	fs.Uint64Var(&o.Seed, "seed", 1, "decides what is gone, forbidden, and fails")
	fs.IntVar(&o.Rate, "rate", 50, "requests a second that the API allows")
	fs.Float64Var(&o.FailureRate, "failure-rate", 0.1, "share of requests that fail: 500, or no answer")
	fs.Float64Var(&o.CrashRate, "crash-rate", 0.02, "share of imports that panic after their work, before the ack")
	fs.IntVar(&o.Concurrency, "concurrency", 8, "how many conversations are imported at once")
	fs.IntVar(&o.Retries, "retries", 3, "how often a conversation is tried again")
	fs.Var((*delays)(&o.Backoff), "backoff", "how long it waits before each retry")
	fs.DurationVar(&o.Timeout, "timeout", 500*time.Millisecond, "how long to wait for the API's answer")
	fs.StringVar(&o.URL, "url", "", "broker (default AMQP_URL, else amqp://guest:guest@localhost:5672/)")
	fs.StringVar(&o.Prefix, "queue-prefix", "example-import", "what the queues' names begin with")
	fs.StringVar(&o.State, "state", "", "file for what was imported so far (default in the temporary directory)")
	fs.BoolVar(&o.Keep, "keep", false, "keep the queues and the file in the end")
	fs.BoolVar(&o.Fresh, "fresh", false, "delete the queues and the file first")
	if err := fs.Parse(args); errors.Is(err, flag.ErrHelp) {
		fmt.Fprint(help, usage)
		fs.SetOutput(help)
		fs.PrintDefaults()
		return o, err
	} else if err != nil {
		return o, err
	}
	if o.State == "" {
		o.State = filepath.Join(os.TempDir(), o.Prefix+".jsonl")
	}
	return o, o.check(fs.Args())
}

func (o Options) check(rest []string) error {
	switch {
	case len(rest) > 0:
		return fmt.Errorf("%q is not a flag", rest[0])
	case o.Conversations < 1 || o.Conversations > len(messages()):
		return fmt.Errorf("-n is %d, want 1 to %d", o.Conversations, len(messages()))
	case o.Rate < 1:
		return fmt.Errorf("-rate is %d, want 1 or more", o.Rate)
	case !(o.FailureRate >= 0 && o.FailureRate <= 1):
		return fmt.Errorf("-failure-rate is %v, want 0 to 1", o.FailureRate)
	case !(o.CrashRate >= 0 && o.CrashRate <= 1):
		return fmt.Errorf("-crash-rate is %v, want 0 to 1", o.CrashRate)
	case o.Concurrency < 1:
		return fmt.Errorf("-concurrency is %d, want 1 or more", o.Concurrency)
	case o.Retries < 0:
		return fmt.Errorf("-retries is %d, want 0 or more", o.Retries)
	case o.Timeout <= 0:
		return fmt.Errorf("-timeout is %s, want more than 0", o.Timeout)
	case o.Prefix == "" || strings.ContainsAny(o.Prefix, `/\`):
		return fmt.Errorf("-queue-prefix is %q, want a name without slashes", o.Prefix)
	}
	return nil
}

// HistoryQueue holds the jobs that list, one for each page.
func (o Options) HistoryQueue() string { return o.Prefix + "-history" }

// ConversationQueue holds the jobs that import, one for each conversation.
func (o Options) ConversationQueue() string { return o.Prefix + "-conversation" }

// Queues are all queues that the consumers declare.
func (o Options) Queues() []string {
	return append(o.workQueues(), topology.ErrorQueue(o.HistoryQueue()), topology.ErrorQueue(o.ConversationQueue()))
}

// workQueues are the queues whose messages will still be handled: all but the error queues.
func (o Options) workQueues() []string {
	var names []string
	for _, queue := range []string{o.HistoryQueue(), o.ConversationQueue()} {
		names = append(names, queue)
		for _, delay := range slices.Concat(o.Backoff, snoozes) {
			names = append(names, topology.RetryQueue(queue, delay))
		}
	}
	return names
}

// delays is a flag such as 500ms,1s,2s.
type delays []time.Duration

func (d *delays) String() string {
	texts := make([]string, len(*d))
	for i, one := range *d {
		texts[i] = one.String()
	}
	return strings.Join(texts, ",")
}

func (d *delays) Set(s string) error {
	*d = nil
	for text := range strings.SplitSeq(s, ",") {
		one, err := time.ParseDuration(strings.TrimSpace(text))
		if err != nil || one < time.Millisecond {
			return errors.New("want durations such as 500ms,1s,2s")
		}
		*d = append(*d, one)
	}
	return nil
}
