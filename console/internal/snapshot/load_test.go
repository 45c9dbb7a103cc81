package snapshot

import (
	"bytes"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/errorqueue"
)

// large returns messages whose bodies the spool cuts.
func large(n int) []errorqueue.Message {
	all := failures(n)
	for i := range all {
		all[i].Body = bytes.Repeat([]byte{byte(i)}, 2*mostBody)
		all[i].BodySize = len(all[i].Body)
	}
	return all
}

func TestWholeMessagesAreLoadedInOnePassForAll(t *testing.T) {
	f := &fake{messages: large(10), every: time.Second}
	inBubble(t, f, func(c *Config) { c.AutoDepth = -1 }, func(t *testing.T, s *Store) {
		r := open(t, s)
		var viewers sync.WaitGroup
		for i := range 6 {
			viewers.Go(func() {
				m := f.messages[i/2] // two want the same
				got, err := r.Load(t.Context(), m.Mark)
				if err != nil || got.ID != m.ID || !bytes.Equal(got.Body, m.Body) {
					t.Errorf("%s, %d bytes, %v", got.ID, len(got.Body), err)
				}
			})
		}
		viewers.Wait()
		time.Sleep(10 * time.Second)
		if f.passes() != 1 || len(r.loads) != 0 {
			t.Errorf("%d passes, %d loads", f.passes(), len(r.loads))
		}
	})
}

func TestAMessageThatThePassHasReadIsLoadedByTheNextOne(t *testing.T) {
	f := &fake{messages: large(10), every: time.Second}
	inBubble(t, f, nil, func(t *testing.T, s *Store) {
		r := open(t, s)
		time.Sleep(5500 * time.Millisecond)
		if got, err := r.Load(t.Context(), f.messages[8].Mark); err != nil || got.ID != f.messages[8].ID || f.passes() != 1 {
			t.Errorf("what is to come: %s, %v, %d passes", got.ID, err, f.passes())
		}
		if got, err := r.Load(t.Context(), f.messages[0].Mark); err != nil || got.ID != f.messages[0].ID || f.passes() != 2 {
			t.Errorf("what is over: %s, %v, %d passes", got.ID, err, f.passes())
		}
	})
}

func TestAMessageThatIsGoneIsUnknown(t *testing.T) {
	lost := errors.New("the connection is lost")
	f := &fake{messages: failures(10)}
	inBubble(t, f, nil, func(t *testing.T, s *Store) {
		r := open(t, s)
		if _, err := r.Load(t.Context(), markOf("gone", "")); !errors.Is(err, ErrUnknown) {
			t.Errorf("got %v", err)
		}
		f.set(func(f *fake) { f.broken = lost })
		if _, err := r.Load(t.Context(), markOf("gone", "")); !errors.Is(err, lost) {
			t.Errorf("in a pass that fails: %v", err)
		}
	})
}

func TestLoadsEndWithTheStoreAndAreBounded(t *testing.T) {
	f := &fake{messages: failures(10), every: time.Second}
	inBubble(t, f, nil, func(t *testing.T, s *Store) {
		r := open(t, s)
		time.Sleep(500 * time.Millisecond)
		var viewers sync.WaitGroup
		for i := range mostLoads {
			viewers.Go(func() {
				if _, err := r.Load(t.Context(), markOf("gone", string(rune('a'+i)))); !errors.Is(err, ErrClosed) {
					t.Errorf("got %v", err)
				}
			})
		}
		time.Sleep(time.Second)
		if _, err := r.Load(t.Context(), f.messages[9].Mark); !errors.Is(err, ErrLoads) {
			t.Errorf("one more: %v", err)
		}
		s.Close(t.Context())
		viewers.Wait()
		if _, err := r.Load(t.Context(), f.messages[9].Mark); !errors.Is(err, ErrClosed) {
			t.Errorf("after the end: %v", err)
		}
	})
}
