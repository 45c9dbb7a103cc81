package errorqueue

import (
	"errors"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// simulatedQueue is a queue with a message that cannot be read. It behaves as the broker does.
type simulatedQueue struct {
	ids    []int // in their order
	bad    int
	fresh  int  // messages from this index on were never delivered
	quorum bool // it puts messages that it gets back behind those that it got back before
	deaths int
}

// read reads as a reader with this edge does, and returns what it has read.
func (q *simulatedQueue) read(e edge, window int) (got []int, err error) {
	var chunks []int // messages of each channel
	size := min(firstWindow, window)
	for windows := 0; ; windows++ {
		n := min(e.window(len(got), size), len(q.ids)-len(got))
		if n == 0 {
			return got, nil
		}
		if e.settled && e.near(len(got)) {
			return got, &stuckError{read: len(got), window: n, of: len(q.ids), err: e.err}
		}
		if windows%tagsPerChunk == 0 {
			chunks = append(chunks, 0)
		}
		chunks[len(chunks)-1] += n
		size = min(2*size, window)
		for _, id := range q.ids[len(got) : len(got)+n] {
			if id == q.bad {
				q.lose(chunks)
				return got, &stuckError{read: len(got), window: n, of: len(q.ids), err: errors.New("541")}
			}
		}
		got = append(got, q.ids[len(got):len(got)+n]...)
	}
}

// lose gives back what a reader holds on its channels. A quorum queue gets back first what the last
// of them holds, which has ended the connection.
func (q *simulatedQueue) lose(chunks []int) {
	q.deaths++
	held := 0
	for _, n := range chunks {
		held += n
	}
	if q.quorum {
		last := held - chunks[len(chunks)-1]
		old := max(q.fresh, held)
		q.ids = slices.Concat(q.ids[held:old], q.ids[last:held], q.ids[:last], q.ids[old:])
	}
	q.fresh = max(q.fresh, held)
}

func TestAllThatStandsBeforeAMessageThatCannotBeReadIsReadInAFewReadings(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		window := rapid.SampledFrom([]int{1, 16, 250, 2000}).Draw(t, "window")
		n := rapid.IntRange(1, min(1000, 8*window)).Draw(t, "messages") // on one channel
		q := &simulatedQueue{
			bad: rapid.IntRange(0, n-1).Draw(t, "bad"), fresh: rapid.IntRange(0, n).Draw(t, "delivered before"), quorum: rapid.Bool().Draw(t, "quorum"),
		}
		for i := range n {
			q.ids = append(q.ids, i)
		}
		settled := rapid.Bool().Draw(t, "settled")
		again := untilExact
		if settled {
			again = untilSettled
		}
		var got []int
		e, err := again(t.Context(), func(e edge) (err error) {
			got, err = q.read(e, window)
			return err
		})
		var unreadable *UnreadableError
		if !errors.As(err, &unreadable) || q.deaths > map[bool]int{false: 9, true: 10}[settled] || !e.exact || settled && !e.settled {
			t.Fatalf("after %d readings: %v, %+v", q.deaths, err, e)
		}
		if unreadable.Position != len(got)+1 || unreadable.Behind != n-len(got)-1 {
			t.Fatalf("read %d of %d, and the error says %v", len(got), n, err)
		}
		if !settled {
			return
		}
		if again, err := q.read(e, window); len(again) != len(got) || err == nil || q.ids[len(again)] != q.bad {
			t.Fatalf("the place was not settled: %d, then %d are read", len(got), len(again))
		}
	})
}

func TestAMessageThatIsTakenFromTheFrontMovesTheEdge(t *testing.T) {
	e := edge{}.met(&stuckError{read: 40, window: 1, of: 100}).met(&stuckError{read: 40, window: 1, of: 100}).without(30)
	if u := e.unreadable(); !e.exact || e.safe != 10 || u.Position != 11 || u.Behind != 59 {
		t.Errorf("%+v, %v", e, u)
	}
}

// The messages of a lost connection come back a moment later. A reading that begins before that
// finds the message that cannot be read at the queue's head.
func TestAReadingThatBeginsTooEarlyProvesNothing(t *testing.T) {
	early := edge{}.met(&stuckError{read: 40, window: 20, of: 100}).met(&stuckError{read: 0, window: 1, of: 3})
	if early.exact || early.of != 100 {
		t.Errorf("%+v", early)
	}
	if e := early.met(&stuckError{read: 40, window: 1, of: 100}); !e.exact || e.settled {
		t.Errorf("%+v", e)
	}
}
