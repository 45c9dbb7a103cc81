package link

import (
	"bytes"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// slowPeer is a net.Conn that shows every write, and blocks it until the test lets it go.
type slowPeer struct {
	net.Conn
	writes chan []byte
	goOn   chan error
	closed chan struct{}
	once   sync.Once
}

func newSlowPeer(t *testing.T) (*socket, *slowPeer) {
	ours, _ := net.Pipe()
	p := &slowPeer{Conn: ours, writes: make(chan []byte, 100), goOn: make(chan error), closed: make(chan struct{})}
	s := newSocket(p)
	t.Cleanup(func() { s.abort(errors.New("the test is over")) })
	return s, p
}

func (p *slowPeer) Write(b []byte) (int, error) {
	p.writes <- bytes.Clone(b)
	select {
	case err := <-p.goOn:
		return len(b), err
	case <-p.closed:
		return 0, net.ErrClosed
	}
}

func (p *slowPeer) SetWriteDeadline(at time.Time) error {
	time.AfterFunc(time.Until(at), func() { p.Close() })
	return nil
}

func (p *slowPeer) Close() error {
	p.once.Do(func() { close(p.closed) })
	return p.Conn.Close()
}

func write(t *testing.T, s *socket, text string) {
	t.Helper()
	if n, err := s.Write([]byte(text)); n != len(text) || err != nil {
		t.Errorf("Write: %d, %v", n, err)
	}
}

// writing starts a write, which takes as long as the peer does.
func writing(t *testing.T, s *socket, text string) *sync.WaitGroup {
	t.Helper()
	var w sync.WaitGroup
	w.Go(func() { write(t, s, text) })
	return &w
}

func TestWhatIsWrittenDuringAWriteGoesOutTogetherAndInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := newSlowPeer(t)
		first := writing(t, s, "a")
		if got := <-p.writes; string(got) != "a" {
			t.Errorf("sent %q, want the first at once", got)
		}
		write(t, s, "b")
		write(t, s, "c")
		write(t, s, "d")
		p.goOn <- nil
		if got := <-p.writes; string(got) != "bcd" {
			t.Errorf("sent %q, want the rest in one write", got)
		}
		first.Wait()
		p.goOn <- nil
		write(t, s, "e") // too soon after the last write to be written at once
		if got := <-p.writes; string(got) != "e" {
			t.Errorf("sent %q", got)
		}
		write(t, s, "f")
		p.goOn <- nil
		if got := <-p.writes; string(got) != "f" {
			t.Errorf("sent %q", got)
		}
		p.goOn <- nil
	})
}

func TestAWriteAfterARestWakesNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := newSlowPeer(t)
		for range 3 {
			var done atomic.Bool
			go func() {
				write(t, s, "a")
				done.Store(true)
			}()
			<-p.writes
			synctest.Wait()
			if done.Load() {
				t.Error("Write returned while another goroutine wrote for it")
			}
			p.goOn <- nil
			synctest.Wait()
			if !done.Load() {
				t.Error("Write did not return")
			}
			time.Sleep(2 * rest)
		}
	})
}

func TestALargeWriteIsNotCopiedAndKeepsItsPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := newSlowPeer(t)
		first := writing(t, s, "a")
		<-p.writes
		write(t, s, "b")
		large := writing(t, s, strings.Repeat("c", gathered))
		synctest.Wait()
		for _, want := range []int{1, gathered} { // b, and then what was gathered meanwhile
			p.goOn <- nil
			if got := <-p.writes; len(got) != want {
				t.Errorf("%d bytes were sent, want %d", len(got), want)
			}
		}
		synctest.Wait()
		if n := cap(s.out.bytes); n >= gathered {
			t.Errorf("%d bytes were kept", n)
		}
		p.goOn <- nil
		first.Wait()
		large.Wait()
	})
}

func TestALargeWriteTakesWhatWaitsWithIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := newSlowPeer(t)
		s.out.bytes = append(s.out.bytes, "b"...) // and the sender is not awake yet
		large := writing(t, s, strings.Repeat("c", gathered))
		for _, want := range []int{1, gathered} { // one system call, of a TCP connection
			if got := <-p.writes; len(got) != want {
				t.Errorf("%d bytes were sent, want %d", len(got), want)
			}
			p.goOn <- nil
		}
		large.Wait()
		if s.out.busy() || cap(s.out.bytes) == 0 {
			t.Error("what was sent still waits, or its memory is not kept")
		}
	})
}

func TestWhoWritesToAPeerThatTakesNothingWaitsUntilTheSocketEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newSlowPeer(t)
		first := writing(t, s, "a") // it returns no error: the next write does
		synctest.Wait()
		written := 0
		var err error
		var waiting sync.WaitGroup
		waiting.Go(func() {
			for err == nil {
				if _, err = s.Write(make([]byte, 1000)); err == nil {
					written++
				}
			}
		})
		synctest.Wait()
		if written < gathered/1000 || written > 2*(gathered/1000+1) {
			t.Errorf("%d KB are kept, want about %d", written, gathered/1000)
		}
		s.abort(errors.New("frozen"))
		waiting.Wait()
		first.Wait()
		if !errors.Is(err, net.ErrClosed) {
			t.Errorf("the error is %v", err)
		}
	})
}

func TestAWriteThatFailedIsSaidToTheNextAndKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := newSlowPeer(t)
		broken := errors.New("broken pipe")
		first := writing(t, s, "a")
		p.goOn <- broken
		first.Wait()
		if _, err := s.Write([]byte("b")); !errors.Is(err, broken) {
			t.Errorf("the next write gives %v", err)
		}
		if !errors.Is(s.cause(), broken) {
			t.Errorf("the cause is %v", s.cause())
		}
	})
}

func TestCloseSendsWhatIsLeftButDoesNotWaitForAPeerThatTakesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := newSlowPeer(t)
		first := writing(t, s, "a")
		<-p.writes
		write(t, s, "goodbye")
		var closing sync.WaitGroup
		began := time.Now()
		closing.Go(func() { _ = s.Close() })
		p.goOn <- nil
		if got := <-p.writes; string(got) != "goodbye" {
			t.Errorf("sent %q", got)
		}
		first.Wait()
		closing.Wait() // the write that is stuck never succeeds
		if took := time.Since(began); took > lastWords {
			t.Errorf("Close took %s", took)
		}
	})
}

func TestOneReadTakesWhatThereIs(t *testing.T) {
	ours, theirs := net.Pipe()
	s := newSocket(ours)
	defer s.abort(errors.New("the test is over"))
	sent := bytes.Repeat([]byte("x"), 50_000)
	wrote := make(chan int, 1)
	go func() {
		n, _ := theirs.Write(sent)
		wrote <- n
	}()
	if _, err := s.Read(make([]byte, 4096)); err != nil {
		t.Fatal(err)
	}
	if n := <-wrote; n != len(sent) { // Write on a pipe returns when all of it was read
		t.Errorf("%d bytes were read ahead, want all %d", n, len(sent))
	}
	if rest, err := io.ReadAll(io.LimitReader(s, int64(len(sent)-4096))); len(rest) != len(sent)-4096 || err != nil {
		t.Errorf("the rest is %d bytes, %v", len(rest), err)
	}
}
