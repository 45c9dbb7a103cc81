package console

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/bunnicula-go/bunnicula/console/internal/snapshot"
	"github.com/bunnicula-go/bunnicula/errorqueue"
	"github.com/bunnicula-go/bunnicula/topology"
	"github.com/bunnicula-go/bunnicula/topology/topologyfile"
)

const (
	openFor    = 10 * time.Second
	readerWait = 30 * time.Minute // of a pass for its turn: a redrive may take long
)

// errorQueueOf returns how the error queue with a name is opened. If the name is that of a main
// queue, other is the name of its error queue instead.
func errorQueueOf(f topologyfile.File, name string) (cfg errorqueue.Config, other string) {
	for _, t := range f.Topologies() {
		of := errorqueue.Of(t)
		switch name {
		case of.ErrorQueue:
			if main, _, is := topology.PartitionOf(of.Queue); is {
				of.Queue = main // all partitions park there
			}
			return of, ""
		case of.Queue:
			return of, of.ErrorQueue
		}
	}
	if cfg = errorqueue.Named(name); cfg.ErrorQueue == "" {
		return cfg, topology.ErrorQueue(name)
	}
	return cfg, ""
}

// opener returns the function that opens error queues for the snapshots.
func opener(cfg Config, known *scarce) func(context.Context, string) (snapshot.Queue, error) {
	return func(ctx context.Context, name string) (snapshot.Queue, error) {
		of, _ := errorQueueOf(cfg.Topology, name)
		of.Wait = readerWait
		q, err := errorqueue.Open(ctx, cfg.Connection, of, cfg.Log)
		if err != nil {
			return nil, err
		}
		known.ask(ctx, q.Name()) // before a reading could begin
		return &limited{Queue: q, scarce: known, asked: time.Now()}, nil
	}
}

// open opens the queue of a page. It answers the request itself if that does not work.
func (a *answer) open(queue string) (*snapshot.Reading, bool) {
	_, other := errorQueueOf(a.console.cfg.Topology, queue)
	if other != "" {
		http.Redirect(a.w, a.r, a.view().Link("q", other), http.StatusSeeOther)
		return nil, false
	}
	ctx, cancel := context.WithTimeoutCause(a.r.Context(), openFor, errors.New("no answer within 10s"))
	defer cancel()
	reading, err := a.console.store.Open(ctx, queue)
	if err != nil {
		a.problem(unopened(queue, err))
		return nil, false
	}
	return reading, true
}

// unopened says why an error queue cannot be opened, and what to do.
func unopened(queue string, err error) *problem {
	var field *errorqueue.FieldError
	p := &problem{Status: http.StatusBadGateway, Title: "It could not be opened", Text: err.Error()}
	switch {
	case errors.Is(err, errorqueue.ErrNoQueue):
		p.Status, p.Title = http.StatusNotFound, "No such queue"
		p.Text = "There is no queue " + queue + " in this virtual host."
		p.Do = "It exists after its consumer has started once, or after bunnicula topology apply."
	case errors.As(err, &field), errors.Is(err, topology.ErrStream):
		p.Status, p.Title, p.Do = http.StatusNotFound, "No error queue", "An error queue ends in -error, an archive in -archive, or is one of the topology file."
	default:
		p.Do = "The page opens when the broker answers: load it again."
	}
	return p
}

// explain says what to do about the error that has ended a reading.
func explain(err error) string {
	var unreadable *errorqueue.UnreadableError
	switch {
	case errors.Is(err, errorqueue.ErrBusy):
		return "Somebody else reads or redrives the queue. Read again when that has ended."
	case errors.Is(err, errorqueue.ErrHeldTooLong):
		return "The queue is too long to be read within the broker's limit for unacked messages. What was read before is shown."
	case errors.Is(err, errorqueue.ErrDeliveryLimit):
		return "The queue drops messages that are given back too often. Give the management API or a user who may publish, so that a reading can replace them."
	case errors.As(err, &unreadable):
		return "One message cannot be read, and it blocks those behind it. What is before it is shown. bunnicula errors discard can move what is readable."
	}
	return "What was read before is shown. Read again when the cause is gone."
}

// pinned returns the snapshot that the link names, or else the newest. gone says that the named one
// is dropped.
func (a *answer) pinned(r *snapshot.Reading) (s *snapshot.Snapshot, gone bool) {
	n := number(a.r.URL.Query().Get("snapshot"))
	if n > 0 {
		if s = r.Version(n); s != nil {
			return s, false
		}
	}
	return r.Snapshot(), n > 0
}

// number reads a number of a link. What is none is 0.
func number(text string) int {
	n := 0
	for _, c := range text {
		if c < '0' || c > '9' || n > 1<<30 {
			return 0
		}
		n = n*10 + int(c-'0')
	}
	return n
}

// words splits the text of a filter into the arguments of a command.
func words(filter errorqueue.Filter) []string {
	var all []string
	var word strings.Builder
	quoted, escaped := false, false
	for _, c := range filter.String() {
		switch {
		case escaped:
			escaped = false
		case c == '\\' && quoted:
			escaped = true
		case c == '"':
			quoted = !quoted
		case c == ' ' && !quoted:
			all = append(all, word.String())
			word.Reset()
			continue
		}
		word.WriteRune(c)
	}
	return slices.DeleteFunc(append(all, word.String()), func(s string) bool { return s == "" })
}
