package main

import (
	"encoding/binary"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bunnicula-go/bunnicula/consumer"
)

func TestSomeMessagesAreRetriedOnceAndAFewAreParked(t *testing.T) {
	s := &steady{zero: time.Now()}
	for n := range uint64(2 * parkEvery) {
		body := make([]byte, 16)
		binary.BigEndian.PutUint64(body, n)
		s.handle(t.Context(), consumer.Delivery{Body: body, Attempt: 1})
		if n%retryEvery == 0 {
			s.handle(t.Context(), consumer.Delivery{Body: body, Attempt: 2})
		}
	}
	if s.parked.Load() != 2 || s.retried.Load() != 200 || s.acked.Load() != 2*parkEvery-2 || s.done() != 2*parkEvery {
		t.Errorf("parked %d, retried %d, acked %d, done %d", s.parked.Load(), s.retried.Load(), s.acked.Load(), s.done())
	}
	if got := len(s.takeTimes()); got != 2*parkEvery { // the first attempts
		t.Errorf("%d times, want %d", got, 2*parkEvery)
	}
}

func TestTheTimesOfASampleAreThoseSinceTheOneBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &steady{zero: time.Now()}
		take := func(ms ...int) []float64 {
			for _, wait := range ms {
				body := make([]byte, 16)
				binary.BigEndian.PutUint64(body, 3)
				binary.BigEndian.PutUint64(body[8:], uint64(time.Since(s.zero)))
				time.Sleep(time.Duration(wait) * time.Millisecond)
				s.handle(t.Context(), consumer.Delivery{Body: body, Attempt: 1})
			}
			return s.takeTimes()
		}
		for _, want := range [][]float64{{5, 7}, {1}, {}, {2, 3, 4}} {
			var ms []int
			for _, v := range want {
				ms = append(ms, int(v))
			}
			if got := take(ms...); !slices.Equal(got, want) {
				t.Errorf("times %v, want %v", got, want)
			}
		}
	})
}

func TestALoadWhoseMessagesAreNotHandledFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &steady{}
		s.published.Store(3)
		s.acked.Store(1)
		s.parked.Store(1)
		if err := s.rest(); !errors.Is(err, errUnhandled) {
			t.Errorf("got %v, want %v", err, errUnhandled)
		}
		s.acked.Store(2)
		if err := s.rest(); err != nil {
			t.Error(err)
		}
	})
}

func TestALoadIsBehindWhileASecondsMessagesAreNotHandled(t *testing.T) {
	s := &steady{}
	for _, tt := range []struct {
		published, acked, parked int64
		want                     bool
	}{
		{steadyRate, 0, 0, false},
		{steadyRate + 1, 0, 0, true},
		{steadyRate + 3, 2, 1, false},
	} {
		s.published.Store(tt.published)
		s.acked.Store(tt.acked)
		s.parked.Store(tt.parked)
		if got := s.isBehind(); got != tt.want {
			t.Errorf("%+v: %v", tt, got)
		}
	}
}
