package link_test

import (
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
)

func TestAPulseIsCountedWhenTheBrokerHasAnswered(t *testing.T) {
	cfg, proxy := through(t)
	cfg.ReplyTimeout = 500 * time.Millisecond
	conn := connect(t, cfg)
	s := session(t, conn.Transport().Publishing())
	if n := s.Pulse(); n != 0 {
		t.Errorf("%d answers before there can be one", n)
	}
	beats := func(n uint64) {
		t.Helper()
		amqptest.Eventually(t, 5*time.Second, func() bool { return s.Pulse() >= n }, "there are not %d answers", n)
	}
	beats(3)
	proxy.Freeze()
	time.Sleep(50 * time.Millisecond) // what is on its way may still arrive
	before := s.Pulse()
	time.Sleep(time.Second)
	if now := s.Pulse(); now != before {
		t.Errorf("%d answers of a broker that answers nothing", now-before)
	}
	if s.Err() != nil {
		t.Errorf("a broker that is late has ended the session: %v", s.Err())
	}
	proxy.Thaw()
	beats(before + 3)
}
