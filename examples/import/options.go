package main

import (
	"cmp"
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
	Conversations int // of the big account
	Small         int // conversations of the small account
	Later         time.Duration
	Seed          uint64
	Rate          int // of the API, for each account
	Limit         int // of ours, for each account
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

const usage = `Import imports the conversations of two accounts through RabbitMQ, from an API
that limits the requests of each account, and fails at times. It plays the API
itself. The small account comes behind the big one, and does not wait for it.

usage: import [flags]

  import                             300 conversations and 20, some seconds
  import -n 3080 -rate 500           all there are
  import -limit 1000                 ask more often than the API allows
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
	fs.IntVar(&o.Conversations, "n", 300, "how many conversations the big account has, up to 3080")
	fs.IntVar(&o.Small, "small", 20, "how many conversations the small account has, up to 3080")
	fs.DurationVar(&o.Later, "later", time.Second, "how much later the small account comes")
	fs.Uint64Var(&o.Seed, "seed", 1, "decides what is gone, forbidden, and fails")
	fs.IntVar(&o.Rate, "rate", 50, "requests a second that the API allows each account")
	fs.IntVar(&o.Limit, "limit", 0, "requests a second that are made for each account (default -rate)")
	fs.Float64Var(&o.FailureRate, "failure-rate", 0.1, "share of requests that fail: 500, or no answer")
	fs.Float64Var(&o.CrashRate, "crash-rate", 0.02, "share of imports that panic after their work, before the ack")
	fs.IntVar(&o.Concurrency, "concurrency", 0, "how many conversations are in hand at once (default -limit, 16 to 500)")
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
	err := o.check(fs.Args())
	if o.Limit == 0 {
		o.Limit = o.Rate
	}
	if o.Concurrency == 0 {
		o.Concurrency = min(max(o.Limit, 16), 500) // see use.RatePerKey
	}
	return o, err
}

// maxRate is the highest rate, in requests a second: more than a machine makes.
const maxRate = 1_000_000

func (o Options) check(rest []string) error {
	if len(rest) > 0 {
		return fmt.Errorf("%q is not a flag", rest[0])
	}
	if o.Prefix == "" || strings.ContainsAny(o.Prefix, `/\`) {
		return fmt.Errorf("-queue-prefix is %q, want a name without slashes", o.Prefix)
	}
	return cmp.Or(
		within("-n", o.Conversations, 1, len(messages())),
		within("-small", o.Small, 0, len(messages())),
		within("-later", o.Later, 0, time.Hour),
		within("-rate", o.Rate, 1, maxRate),
		within("-limit", o.Limit, 0, maxRate),
		within("-failure-rate", o.FailureRate, 0, 1),
		within("-crash-rate", o.CrashRate, 0, 1),
		within("-concurrency", o.Concurrency, 0, 1000),
		within("-retries", o.Retries, 0, 1000),
		within("-timeout", o.Timeout, time.Millisecond, time.Hour),
	)
}

// within is nil if a flag's value is from least to most.
func within[T cmp.Ordered](flag string, value, least, most T) error {
	if value >= least && value <= most { // NaN is not
		return nil
	}
	return fmt.Errorf("%s is %v, want %v to %v", flag, value, least, most)
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
	waits := slices.Concat(o.Backoff, topology.Ladder)
	slices.Sort(waits)
	var names []string
	for _, queue := range []string{o.HistoryQueue(), o.ConversationQueue()} {
		names = append(names, queue, topology.QuarantineQueue(queue))
		for _, delay := range slices.Compact(waits) {
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
		if err != nil || one < time.Millisecond || one > time.Hour || one%time.Millisecond != 0 {
			return errors.New("want durations from 1ms to 1h, such as 500ms,1s,2s")
		}
		*d = append(*d, one)
	}
	return nil
}
