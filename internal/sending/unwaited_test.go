package sending

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"
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
