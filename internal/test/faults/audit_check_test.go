//go:build unix

package faults_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/topology"
)

const forgedLane = "lane1"

// forgery makes evidence by hand. The audit accepts it unless a test adds something.
type forgery struct {
	evidence
	clock time.Time
}

func newForgery() *forgery {
	return &forgery{evidence{lane: forgedLane, maxRetries: 2, patient: time.Minute}, time.Unix(1_700_000_000, 0)}
}

// now returns a later time at each call.
func (f *forgery) now() time.Time {
	f.clock = f.clock.Add(time.Millisecond)
	return f.clock
}

// post publishes a message that is confirmed, and returns its number.
func (f *forgery) post(do string) int {
	f.postings = append(f.postings, posting{do: do, began: f.now(), ended: f.now()})
	return len(f.postings) - 1
}

// handle adds an attempt to the journal.
func (f *forgery) handle(n, attempt int, said string) {
	at := f.now().UnixNano()
	f.entries = append(f.entries,
		entry{At: at, What: begin, Lane: f.lane, N: n, Attempt: attempt},
		entry{At: at, What: end, Lane: f.lane, N: n, Attempt: attempt, Said: said})
}

// leave puts a message into a queue, as it was published and with these headers.
func (f *forgery) leave(n int, role topology.Role, headers amqp.Table) *parcel {
	do := "ack"
	if n < len(f.postings) {
		do = f.postings[n].do
	}
	m := compose(f.lane, n, do)
	all := amqp.Table{"x-death": []any{}}
	for k, v := range m.headers {
		all[k] = v
	}
	for k, v := range headers {
		all[k] = v
	}
	f.parcels = append(f.parcels, parcel{role, amqp.Delivery{MessageId: m.id, Body: m.body, Headers: all}})
	return &f.parcels[len(f.parcels)-1]
}

func parkedAs(reason string, retries int64) amqp.Table {
	return amqp.Table{"bunnicula-reason": reason, "retry-attempts": retries}
}

// wellDone returns a run in which nothing went wrong.
func wellDone() *forgery {
	f := newForgery()
	f.handle(f.post("ack"), 1, "ack")
	n := f.post("retry 1")
	f.handle(n, 1, "retry")
	f.handle(n, 2, "ack")
	n = f.post("error")
	f.handle(n, 1, "error")
	f.leave(n, topology.RoleError, parkedAs("error", 0))
	n = f.post("retry-always")
	for attempt := 1; attempt <= 3; attempt++ {
		f.handle(n, attempt, "retry")
	}
	f.leave(n, topology.RoleError, parkedAs("retries-exhausted", 2))
	n = f.post("kill")
	f.entries = append(f.entries, entry{At: f.now().UnixNano(), What: begin, Lane: f.lane, N: n, Attempt: 1})
	f.leave(n, topology.RoleError, parkedAs("crashed", 0))
	f.leave(f.post("ack"), topology.RoleMain, nil)  // waits
	f.leave(f.post("ack"), topology.RoleRetry, nil) // waits too
	f.post("ack")                                   // was never confirmed, and is nowhere
	f.postings[len(f.postings)-1].err = errors.New("not confirmed")
	n = f.post("ack") // was never confirmed, and arrived
	f.postings[n].err = errors.New("not confirmed")
	f.handle(n, 1, "ack")
	n = f.post("forward")
	f.handle(n, 1, "ack")
	f.entries = append(f.entries, entry{What: confirmed, Lane: f.lane, N: n + forwarded})
	f.handle(n+forwarded, 1, "ack")
	n = f.post("garbage")
	f.leave(n, topology.RoleError, parkedAs("undecodable", 0))
	return f
}

func TestTheAuditFindsNothingWhereNothingIsWrong(t *testing.T) {
	v := audit(wellDone().evidence)
	if len(v.complaints) > 0 {
		t.Errorf("complaints:\n%s", strings.Join(v.complaints, "\n"))
	}
	want := verdict{Published: 12, Confirmed: 10, Acked: 5, Parked: 4, Stall: v.Stall}
	if !equalVerdicts(v, want) {
		t.Errorf("got %+v, want %+v", v, want)
	}
}

func equalVerdicts(a, b verdict) bool {
	return slices.Equal(
		[]int{a.Published, a.Confirmed, a.Acked, a.Parked, a.Lost, a.Duplicates, a.Bound, int(a.Stall)},
		[]int{b.Published, b.Confirmed, b.Acked, b.Parked, b.Lost, b.Duplicates, b.Bound, int(b.Stall)})
}

// Each of these changes spoils a run in which nothing was wrong. The audit must notice it.
func TestTheAuditComplains(t *testing.T) {
	tests := map[string]struct {
		spoil func(f *forgery)
		want  string // in the only complaint
	}{
		"a message is lost": {func(f *forgery) { f.post("ack") }, "message 11 (ack) is LOST"},
		"a message whose handler wanted a retry is lost": {func(f *forgery) { f.handle(f.post("retry 1"), 1, "retry") }, "is LOST"},
		"a message whose process died is lost": {func(f *forgery) {
			f.entries = append(f.entries, entry{What: begin, Lane: f.lane, N: f.post("ack"), Attempt: 1})
		}, "is LOST"},
		"a forwarded message is lost": {func(f *forgery) {
			n := f.post("forward")
			f.handle(n, 1, "ack")
			f.entries = append(f.entries, entry{What: confirmed, Lane: f.lane, N: n + forwarded})
		}, "is LOST"},
		"a message is acked twice":           {func(f *forgery) { f.handle(0, 1, "ack") }, "1 duplicates, at most 0"},
		"an acked message is in a queue too": {func(f *forgery) { f.leave(0, topology.RoleMain, nil) }, "1 duplicates, at most 0"},
		"a message is parked twice":          {func(f *forgery) { f.leave(2, topology.RoleError, parkedAs("error", 0)) }, "1 duplicates, at most 0"},
		"an innocent is parked as crashed": {func(f *forgery) {
			f.leave(f.post("ack"), topology.RoleError, parkedAs("crashed", 0))
		}, "kills nobody"},
		"what failed for good is parked as crashed": {func(f *forgery) {
			f.leave(f.post("error"), topology.RoleError, parkedAs("crashed", 0))
		}, "kills nobody"},
		"the reason is wrong": {func(f *forgery) {
			n := f.post("error")
			f.handle(n, 1, "error")
			f.leave(n, topology.RoleError, parkedAs("timeout", 0))
		}, `parked as "timeout", want "error"`},
		"there is no reason": {func(f *forgery) {
			f.leave(f.post("error"), topology.RoleError, nil)
		}, `parked as "", want "error"`},
		"a message that would have succeeded is parked": {func(f *forgery) {
			f.leave(f.post("retry 1"), topology.RoleError, parkedAs("retries-exhausted", 2))
		}, "would have succeeded"},
		"a killer is acked": {func(f *forgery) { f.handle(f.post("kill"), 1, "ack") }, "was acked"},
		"it was parked with a retry left": {func(f *forgery) {
			n := f.post("retry-always")
			for attempt := 1; attempt <= 3; attempt++ {
				f.handle(n, attempt, "retry")
			}
			f.leave(n, topology.RoleError, parkedAs("retries-exhausted", 1))
		}, "after 1 retries, want 2"},
		"an attempt was never made": {func(f *forgery) {
			n := f.post("retry-always")
			f.handle(n, 1, "retry")
			f.handle(n, 3, "retry")
			f.leave(n, topology.RoleError, parkedAs("retries-exhausted", 2))
		}, "attempt 2 was never made"},
		"an attempt is above the limit": {func(f *forgery) {
			f.handle(f.post("ack"), 4, "ack")
		}, "saw attempt 4 of 3"},
		"a stranger is in a queue": {func(f *forgery) {
			f.parcels = append(f.parcels, parcel{topology.RoleMain, amqp.Delivery{MessageId: "somebody's", Body: []byte("hello")}})
		}, `a stranger is in the main queue: id "somebody's"`},
		"a message of another lane is in a queue": {func(f *forgery) {
			f.parcels = append(f.parcels, parcel{topology.RoleError, amqp.Delivery{MessageId: "lane2-0"}})
		}, "a stranger is in the error queue"},
		"a message of another lane is handled": {func(f *forgery) {
			f.entries = append(f.entries, entry{What: begin, Lane: "lane2", N: 0, Attempt: 1})
		}, `a handler got message 0 of lane "lane2"`},
		"a message that nobody published": {func(f *forgery) { f.handle(99, 1, "ack") }, "message 99 was never published"},
		"a message that nobody forwarded": {func(f *forgery) { f.handle(forwarded, 1, "ack") }, "was never published"},
		"a handler got another body": {func(f *forgery) {
			f.entries = append(f.entries, entry{What: begin, Lane: f.lane, N: 0, Attempt: 1, Altered: "its body"})
		}, "came altered: its body"},
		"a parked body is not as it was":   {func(f *forgery) { f.parcels[0].Body = []byte("{}") }, "its body is"},
		"a parked header is not as it was": {func(f *forgery) { f.parcels[0].Headers["n"] = int64(5) }, "its headers are"},
		"a parked header is gone":          {func(f *forgery) { delete(f.parcels[0].Headers, "text") }, "its headers are"},
		"a Publish has not returned":       {func(f *forgery) { f.postings[0].ended = time.Time{} }, "has not returned"},
		"a Publish took too long": {func(f *forgery) {
			f.postings[0].began = f.postings[0].ended.Add(-2 * time.Minute)
		}, "Publish took 2m0s"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			f := wellDone()
			test.spoil(f)
			v := audit(f.evidence)
			if len(v.complaints) != 1 || !strings.Contains(v.complaints[0], test.want) {
				t.Errorf("got %q, want one complaint with %q", v.complaints, test.want)
			}
			if lost := strings.Contains(test.want, "LOST"); lost != (v.Lost == 1) {
				t.Errorf("%d are lost", v.Lost)
			}
		})
	}
}

func TestDuplicatesWithinTheBoundAreCounted(t *testing.T) {
	f := wellDone()
	f.handle(0, 1, "ack")
	f.leave(0, topology.RoleRetry, nil)
	f.duplicates = 2
	if v := audit(f.evidence); v.Duplicates != 2 || len(v.complaints) > 0 {
		t.Errorf("%d duplicates, complaints %q", v.Duplicates, v.complaints)
	}
}

func TestAStallIsATimeWithWorkAndNoHandler(t *testing.T) {
	at := func(seconds int) time.Time { return time.Unix(int64(1_700_000_000+seconds), 0) }
	begins := func(seconds ...int) (all []entry) {
		for n, s := range seconds {
			all = append(all, entry{What: begin, N: n, At: at(s).UnixNano()})
		}
		return all
	}
	confirms := func(seconds ...int) (all []posting) {
		for _, s := range seconds {
			all = append(all, posting{do: "ack", began: at(s), ended: at(s)})
		}
		return all
	}
	tests := map[string]struct {
		confirmed, begun []int
		want             time.Duration
	}{
		"none is handled":               {[]int{0, 0}, nil, 0},
		"all at once":                   {[]int{0, 0, 0}, []int{1, 1, 1}, 0},
		"nobody worked, nothing to do":  {[]int{0, 9}, []int{0, 9}, 0},
		"nobody worked, one waited":     {[]int{0, 0}, []int{0, 9}, 9 * time.Second},
		"one came while nobody worked":  {[]int{0, 4}, []int{0, 9}, 5 * time.Second},
		"a later one waited for longer": {[]int{0, 8, 2}, []int{0, 9, 10}, 7 * time.Second},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := stall(confirms(test.confirmed...), begins(test.begun...)); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
	t.Run("an unconfirmed one is not waited for", func(t *testing.T) {
		postings := confirms(0, 0)
		postings[1].err = errors.New("not confirmed")
		if got := stall(postings, begins(0, 9)); got != 0 {
			t.Errorf("got %s", got)
		}
	})
}

func TestAMessageIsRecognised(t *testing.T) {
	for id, want := range map[string]int{"lane1-0": 0, "lane1-17": 17, "lane1-": -1, "lane1-1x": -1, "lane1-01": -1, "lane2-1": -1, "": -1} {
		if n, ok := number(forgedLane, id); ok != (want >= 0) || ok && n != want {
			t.Errorf("%q is %d, %v", id, n, ok)
		}
	}
}

func TestAJournalIsReadWhileItIsWritten(t *testing.T) {
	dir := t.TempDir()
	w, err := openJournal(dir + "/worker0-1.journal")
	if err != nil {
		t.Fatal(err)
	}
	defer w.file.Close()
	r := newJournals(dir)
	for n := range 3 {
		w.write(entry{What: end, N: n, Said: "ack"})
		if _, err := w.file.WriteString(`{"half`); err != nil { // an incomplete line
			t.Fatal(err)
		}
		if err := r.poll(); err != nil {
			t.Fatal(err)
		}
		if len(r.entries) != n+1 || r.entries[n].N != n || r.entries[n].process != "worker0-1.journal" {
			t.Fatalf("read %+v", r.entries)
		}
		if _, err := w.file.WriteString(`":1}` + "\n"); err != nil {
			t.Fatal(err)
		}
		if err := r.poll(); err != nil {
			t.Fatal(err)
		}
		r.entries = r.entries[:n+1]
	}
}
