package sending

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// hookedContext counts the hooks on it.
type hookedContext struct {
	context.Context
	hooks, stopped int
}

// Value hides that the context is one of the standard library, which would not be asked for a hook.
func (c *hookedContext) Value(any) any { return nil }

func (c *hookedContext) AfterFunc(f func()) (stop func() bool) {
	c.hooks++
	inner := context.AfterFunc(c.Context, f)
	return func() bool {
		c.stopped++
		return inner()
	}
}

// async returns a message that is in the roster of p.
func async(ctx context.Context, p *Pipeline, due time.Time) *Message {
	m := &Message{pipeline: p, async: true, due: due}
	p.roster.join(ctx, m)
	return m
}

func TestAsynchronousMessagesOfOneContextShareAHookAndEndWithIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPipe()
		defer p.close()
		ctx, cancel := context.WithCancel(t.Context())
		hooked := &hookedContext{Context: ctx}
		other := async(t.Context(), p.pipeline, time.Time{})
		first := async(hooked, p.pipeline, time.Time{})
		second := async(hooked, p.pipeline, time.Now().Add(time.Hour))
		if hooked.hooks != 1 {
			t.Errorf("%d hooks, want 1", hooked.hooks)
		}
		p.pipeline.roster.left(first)
		if hooked.stopped != 0 {
			t.Error("the hook is gone while a message needs it")
		}
		cancel()
		synctest.Wait()
		third := async(hooked, p.pipeline, time.Time{})
		synctest.Wait()
		for _, m := range []*Message{second, third} {
			if !isDone(m) || !errors.Is(m.Err(), context.Canceled) {
				t.Errorf("%v, want that its context has ended", m.Err())
			}
		}
		if isDone(other) || isDone(first) {
			t.Error("a message of another context has ended, or one that had left")
		}
	})
}

func TestTheHookOnAContextGoesWithItsLastMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPipe()
		defer p.close()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		hooked := &hookedContext{Context: ctx}
		for range 2 {
			p.pipeline.roster.left(async(hooked, p.pipeline, time.Time{}), async(hooked, p.pipeline, time.Time{}))
		}
		if hooked.hooks != 2 || hooked.stopped != 2 {
			t.Errorf("%d hooks, %d stopped, want 2", hooked.hooks, hooked.stopped)
		}
	})
}

func TestAsynchronousMessagesEndAtTheirDueTimesInAnyOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPipe()
		defer p.close()
		began := time.Now()
		in := []int{3, 1, 2, 0, 5, 4} // seconds; 0 is never
		var messages []*Message
		for _, s := range in {
			due := time.Time{}
			if s > 0 {
				due = began.Add(time.Duration(s) * time.Second)
			}
			messages = append(messages, async(context.Background(), p.pipeline, due))
		}
		p.pipeline.roster.left(messages[2])
		time.Sleep(500 * time.Millisecond)
		for second := range 6 {
			synctest.Wait()
			for i, m := range messages {
				want := in[i] > 0 && in[i] <= second && i != 2
				if isDone(m) != want {
					t.Errorf("message %d, due after %d s: done is %v after %d.5 s", i, in[i], !want, second)
				}
				if want && !errors.Is(m.Err(), context.DeadlineExceeded) {
					t.Errorf("message %d: %v", i, m.Err())
				}
			}
			time.Sleep(time.Second)
		}
		p.pipeline.roster.left(slices.Delete(messages, 2, 3)...)
		if u := p.pipeline.roster.unwaited; u.limited != (chain{}) || u.unlimited != (chain{}) {
			t.Error("messages that have left are kept")
		}
	})
}

func TestAStopEndsAllAsynchronousMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPipe()
		defer p.close()
		limited := async(t.Context(), p.pipeline, time.Now().Add(time.Hour))
		unlimited := async(context.Background(), p.pipeline, time.Time{})
		p.pipeline.roster.abandon(ErrClosed)
		for _, m := range []*Message{limited, unlimited} {
			if !errors.Is(m.Err(), ErrClosed) {
				t.Errorf("%v, want ErrClosed", m.Err())
			}
		}
	})
}

// Messages of several contexts come and leave in any order. Each context ends its own, and what has
// left is kept nowhere.
func TestEachContextEndsItsOwnMessages(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := &Pipeline{link: upLink{}}
		r := &p.roster
		contexts := make([]context.Context, 3)
		cancels := make([]context.CancelFunc, len(contexts))
		for i := range contexts {
			contexts[i], cancels[i] = context.WithCancel(context.Background())
			defer cancels[i]()
		}
		in := map[*Message]int{}
		var order []*Message
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			if len(order) > 0 && rapid.Bool().Draw(t, "leave") {
				i := rapid.IntRange(0, len(order)-1).Draw(t, "who")
				r.left(order[i])
				delete(in, order[i])
				order = slices.Delete(order, i, i+1)
				continue
			}
			i := rapid.IntRange(0, len(contexts)-1).Draw(t, "context")
			var due time.Time
			if rapid.Bool().Draw(t, "limited") {
				due = time.Now().Add(time.Duration(rapid.IntRange(1, 9).Draw(t, "hours")) * time.Hour)
			}
			m := async(contexts[i], p, due)
			in[m], order = i, append(order, m)
		}
		ended := rapid.IntRange(0, len(contexts)-1).Draw(t, "ended")
		cancels[ended]()
		for m, i := range in {
			if i == ended {
				<-m.Done()
			}
		}
		for m, i := range in {
			if isDone(m) != (i == ended) {
				t.Fatalf("a message of context %d: done is %v after the end of %d", i, isDone(m), ended)
			}
		}
		r.left(order...)
		if r.timer != nil {
			r.timer.Stop()
		}
		if r.limited != (chain{}) || r.unlimited != (chain{}) || r.count != 0 || r.deserted != 0 || r.latest != nil {
			t.Fatal("messages that have left are kept")
		}
		for _, m := range order {
			if m.watch != nil || m.mates != (mates{}) || m.prev != nil || m.next != nil {
				t.Fatal("a message that has left knows others")
			}
		}
	})
}

func TestAMessageWhoseTimeIsOverIsNotLateAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPipe()
		defer p.close()
		r := &p.pipeline.roster
		first := async(context.Background(), p.pipeline, time.Now().Add(time.Second))
		second := async(context.Background(), p.pipeline, time.Now().Add(2*time.Second))
		time.Sleep(time.Second)
		synctest.Wait()
		if late := r.late(); !isDone(first) || len(late) != 0 {
			t.Errorf("done is %v, and %d messages are late again", isDone(first), len(late))
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if !isDone(second) {
			t.Error("the second is not late")
		}
		r.left(first, second)
		if r.limited != (chain{}) || r.unlimited != (chain{}) {
			t.Error("messages that have left are kept")
		}
	})
}
