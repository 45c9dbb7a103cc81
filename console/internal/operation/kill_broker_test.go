package operation_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/console/internal/operation"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/internal/test/connecttest"
	"github.com/bunnicula-go/bunnicula/topology"
)

var (
	seeds = flag.Int("seeds", 1, "how many kills of each operation on each type of queue")
	seed  = flag.Uint64("seed", 1, "the first seed; an odd one kills soon after the first message was moved")
)

const (
	window = 100 // of errorqueue: so many may be there twice after a kill
	forgot = 67  // acks that the broker of a quorum queue may have forgotten beside those
	parkN  = 800 // messages, of which every other one is chosen
	lateN  = 20  // that are parked after the plan
)

// variant is one kind of operation.
type variant struct {
	name   string
	set    func(*operation.Intent)
	target string        // suffix of the queue to which messages go; "none" if they go to no queue
	lasts  time.Duration // of its process, about
}

const none = "none"

var variants = []variant{
	{"redrive", func(i *operation.Intent) { i.Kind, i.Rate = operation.Redrive, 1500 }, "", 600 * time.Millisecond},
	{"batches", func(i *operation.Intent) {
		i.Kind, i.Rate, i.Batches, i.Watch = operation.Redrive, 1500, []int{1, 10, 100}, 50*time.Millisecond
	}, "", 1500 * time.Millisecond},
	{"archive", func(i *operation.Intent) { i.Kind, i.Rate = operation.Archive, 1500 }, "-archive", 600 * time.Millisecond},
	{"delete", func(i *operation.Intent) { i.Kind, i.Rate = operation.Delete, 1500 }, none, 600 * time.Millisecond},
	{"delete with a copy", func(i *operation.Intent) { i.Kind, i.Rate, i.Copy = operation.Delete, 1500, true }, none, 900 * time.Millisecond},
	{"export", func(i *operation.Intent) { i.Kind = operation.Export }, none, 200 * time.Millisecond},
}

func TestAnOperationWhoseProcessIsKilledLosesNothingAndGoesOn(t *testing.T) {
	for _, v := range variants {
		for _, kind := range []topology.QueueType{topology.Quorum, topology.Classic} {
			t.Run(v.name+"/"+string(kind), func(t *testing.T) {
				t.Parallel()
				s := newStage(t, v, kind)
				for k := range *seeds {
					s.play(*seed + uint64(k))
					if t.Failed() {
						return
					}
				}
				t.Logf("seeds %d to %d: %d killed before the intent was written, %d interrupted, %d killed after the end; %d messages twice, %d at most after one kill",
					*seed, *seed+uint64(*seeds)-1, s.before, s.interrupted, s.after, s.twice, s.mostTwice)
				if s.interrupted < *seeds/4 {
					t.Errorf("only %d of %d were interrupted: the test kills at the wrong moments", s.interrupted, *seeds)
				}
			})
		}
	}
}

// stage is a queue on which one operation is killed again and again.
type stage struct {
	t       *testing.T
	variant variant
	queue   string // the main queue
	kind    topology.QueueType
	conn    *connection.Connection

	before, interrupted, after, twice, mostTwice int
}

func newStage(t *testing.T, v variant, kind topology.QueueType) *stage {
	queue := amqptest.Queue(t, "operation", "-archive")
	topo, err := topology.New(topology.Plan{Queue: queue, Type: kind})
	if err != nil {
		t.Fatal(err)
	}
	ch := amqptest.Channel(t)
	if err := topo.Declare(ch); err != nil {
		t.Fatal(err)
	}
	if v.target == "-archive" { // of the same type
		if _, err := ch.QueueDeclare(queue+"-archive", true, false, false, false, map[string]any{"x-queue-type": string(kind)}); err != nil {
			t.Fatal(err)
		}
	}
	return &stage{t: t, variant: v, queue: queue, kind: kind, conn: connecttest.New(t, connection.Config{})}
}

// play parks messages, has the operation killed, looks at what is left, goes on, and counts.
func (s *stage) play(seed uint64) {
	t, rng := s.t, rand.New(rand.NewPCG(seed, 0))
	s.park(0, parkN)
	parked := s.list()
	var chosen []string
	for id, mark := range parked {
		if s.isChosen(id) {
			chosen = append(chosen, mark)
		}
	}
	slices.Sort(chosen)
	s.park(parkN, lateN)
	i := operation.Intent{ID: fmt.Sprintf("op-%d", seed), Queue: s.queue + "-error", Count: len(chosen), Within: parkN, Now: time.Now()}
	s.variant.set(&i)
	job := task{URL: amqptest.URL(t), Dir: t.TempDir(), Intent: i, Chosen: chosen, Soon: seed%2 == 1}
	if job.After = time.Duration(rng.Int64N(int64(s.variant.lasts))); job.Soon {
		job.After /= 3
	}
	text, err := json.Marshal(job)
	if err != nil {
		t.Fatal(err)
	}
	if code := amqptest.StartProcess(t, []string{mortalVar + "=" + string(text)}).Wait(2 * time.Minute); code != killedCode {
		t.Fatalf("seed %d: the process has ended with %d before it was killed", seed, code)
	}
	s.settle()
	s.goOn(seed, job)
	s.account(seed)
}

func (s *stage) isChosen(id string) bool {
	return strings.HasSuffix(id, "0") || strings.ContainsAny(id[len(id)-1:], "2468")
}

// goOn opens the directory of the process that was killed, and goes on with its operation.
func (s *stage) goOn(seed uint64, killed task) {
	t := s.t
	r, err := operation.Open(operation.Config{Dir: killed.Dir, Queue: opener(s.conn), Log: quiet})
	if err != nil {
		t.Fatalf("seed %d: %v", seed, err)
	}
	defer r.Close(t.Context())
	left, rest, gone := s.list(), []string{}, []string{}
	for i := range parkN {
		id := id(i)
		switch mark, there := left[id]; {
		case !there && !s.isChosen(id):
			t.Errorf("seed %d: %s is gone, and was not chosen", seed, id)
		case !there:
			gone = append(gone, id)
		case s.isChosen(id):
			rest = append(rest, mark)
		}
	}
	state, known := r.State(killed.Intent.ID)
	switch {
	case !known:
		s.before++
		if len(gone) > 0 {
			t.Errorf("seed %d: without an intent %d messages are gone", seed, len(gone))
		}
	case state.Status == operation.Interrupted:
		s.interrupted++
		marks, err := r.Chosen(state.ID)
		if err != nil || !slices.Equal(marks, killed.Chosen) {
			t.Errorf("seed %d: %v, the journal has %d of %d marks", seed, err, len(marks), len(killed.Chosen))
		}
	case state.Status == operation.Done:
		s.after++
		if len(rest) > 0 && state.Kind != operation.Export {
			t.Errorf("seed %d: it is done, and %d messages are left", seed, len(rest))
		}
	default:
		t.Errorf("seed %d: %+v", seed, state)
	}
	if killed.Intent.Copy && len(gone) > 0 {
		s.inFile(seed, r, killed.Intent.ID, gone)
	}
	if len(rest) == 0 {
		return
	}
	next := killed.Intent // of a new reading: the kill may have changed the places of messages
	next.Within, next.Now = len(left), time.Now()
	next.ID, next.GoesOn, next.Chosen, next.Count = fmt.Sprintf("on-%d", seed), killed.Intent.ID, rest, len(rest)
	if next.Kind == operation.Redrive {
		next.RedriveID = killed.Intent.ID
	}
	state = s.run(r, next)
	if state.Status != operation.Done || state.Report.Moved != len(rest) {
		t.Errorf("seed %d: going on with %d of %d: %+v", seed, len(rest), len(killed.Chosen), state)
	}
	if next.Kind == operation.Export {
		var all []string
		for i := range parkN {
			if s.isChosen(id(i)) {
				all = append(all, id(i))
			}
		}
		s.inFile(seed, r, next.ID, all)
	}
}

// inFile checks that messages are in the file of an operation.
func (s *stage) inFile(seed uint64, r *operation.Runner, of string, ids []string) {
	file, err := r.File(of)
	if err != nil {
		s.t.Errorf("seed %d: %d messages are gone without a copy: %v", seed, len(ids), err)
		return
	}
	defer func() { _ = file.Close() }()
	text, err := io.ReadAll(file)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, id := range ids {
		if !strings.Contains(string(text), `"`+id+`"`) {
			s.t.Errorf("seed %d: %s is not in the file", seed, id)
		}
	}
}

// account empties all queues, and checks that each message is where it belongs.
func (s *stage) account(seed uint64) {
	t := s.t
	found := map[string]map[string]int{}
	for _, suffix := range []string{"", "-error", "-archive"} {
		found[suffix] = s.empty(suffix)
	}
	twice := 0
	for i := range parkN + lateN {
		one := id(i)
		home := "-error"
		if i < parkN && s.isChosen(one) && s.variant.name != "export" {
			home = s.variant.target
		}
		for _, suffix := range []string{"", "-error", "-archive"} {
			n := found[suffix][one]
			switch {
			case suffix != home && n > 0:
				t.Errorf("seed %d: %s is %d times in %q", seed, one, n, suffix)
			case suffix == home && n == 0:
				t.Errorf("seed %d: %s is not in %q", seed, one, suffix)
			case suffix == home && home == "-error" && n > 1:
				t.Errorf("seed %d: %s is %d times in the error queue", seed, one, n)
			case suffix == home:
				twice += n - 1
			}
		}
	}
	s.twice, s.mostTwice = s.twice+twice, max(s.mostTwice, twice)
	most := window
	if s.kind == topology.Quorum {
		most += forgot
	}
	if twice > most {
		t.Errorf("seed %d: %d messages are there twice, want at most %d", seed, twice, most)
	}
}
