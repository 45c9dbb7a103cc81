package snapshot

import (
	"testing"
	"time"
)

func TestTwentyPassesTakeNoMoreThanOne(t *testing.T) {
	f := &fake{messages: failures(100)}
	inBubble(t, f, func(c *Config) { c.SpoolDir = t.TempDir() }, func(t *testing.T, s *Store) {
		r := open(t, s)
		time.Sleep(time.Second)
		rows, disk := s.memory.used.Load(), s.disk.used.Load()
		for range 20 {
			r.Begin()
			time.Sleep(6 * time.Minute)
		}
		if s.memory.used.Load() != rows || s.disk.used.Load() != disk || f.passes() != 21 {
			t.Errorf("%d passes: %d bytes after %d, and %d after %d", f.passes(), s.memory.used.Load(), rows, s.disk.used.Load(), disk)
		}
	})
}

func TestEarlierSnapshotsMakeRoom(t *testing.T) {
	f := &fake{messages: failures(100)}
	inBubble(t, f, func(c *Config) { c.Memory = 20_000 }, func(t *testing.T, s *Store) { // not enough for two
		r := open(t, s)
		for range 5 {
			r.Begin()
			time.Sleep(time.Second)
			if _, rows := r.Snapshot().Read(); rows != 100 {
				t.Errorf("there are %d rows", rows)
			}
		}
		if used := s.memory.used.Load(); used > 20_000 {
			t.Errorf("%d bytes are used", used)
		}
	})
}

func TestAQueueThatNobodyLooksAtMakesRoomForAnother(t *testing.T) {
	f := &fake{messages: failures(100)}
	inBubble(t, f, func(c *Config) { c.Memory = 20_000 }, func(t *testing.T, s *Store) { // not enough for two
		first := open(t, s)
		_, stop := first.Watch()
		second := func(want func(rows int) bool) {
			t.Helper()
			r, err := s.Open(t.Context(), "refunds-error")
			if err != nil {
				t.Fatal(err)
			}
			r.Begin()
			time.Sleep(time.Second)
			if _, rows := r.Snapshot().Read(); !want(rows) {
				t.Errorf("the second has %d rows", rows)
			}
		}
		time.Sleep(2 * time.Minute)
		second(func(rows int) bool { return rows < 100 })
		if _, rows := first.Snapshot().Read(); rows != 100 {
			t.Errorf("the first, which somebody watches, has %d rows", rows)
		}
		stop()
		time.Sleep(2 * time.Minute)
		second(func(rows int) bool { return rows == 100 })
		if open(t, s) != first || first.Snapshot() != nil {
			t.Error("the first is there")
		}
		time.Sleep(time.Second) // it is asked for, and read again
		if _, rows := first.Snapshot().Read(); rows == 0 {
			t.Error("it is not read again")
		}
	})
}

func TestAnEarlierSpoolMakesRoom(t *testing.T) {
	f := &fake{messages: failures(100)}
	inBubble(t, f, func(c *Config) { c.SpoolDir, c.SpoolSize = t.TempDir(), 60_000 }, func(t *testing.T, s *Store) { // not enough for two
		r := open(t, s)
		for range 5 {
			r.Begin()
			time.Sleep(time.Second)
			if _, err := r.Snapshot().Message(f.messages[99].Mark); err != nil {
				t.Error(err)
			}
		}
		if used := s.disk.used.Load(); used > 60_000 || used < 30_000 {
			t.Errorf("%d bytes are used", used)
		}
	})
}
