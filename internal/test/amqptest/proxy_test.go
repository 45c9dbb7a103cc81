package amqptest_test

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
)

// echo returns the address of a server that sends back all bytes.
func echo(t *testing.T) (addr string) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			running.Go(func() {
				_, _ = io.Copy(conn, conn)
				_ = conn.Close()
			})
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		running.Wait()
	})
	return listener.Addr().String()
}

func dial(t *testing.T, addr string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// say sends a word and reads as many bytes, with the timeout patience.
func say(conn net.Conn, word string, patience time.Duration) (string, error) {
	if _, err := conn.Write([]byte(word)); err != nil {
		return "", err
	}
	return hear(conn, len(word), patience)
}

func hear(conn net.Conn, n int, patience time.Duration) (string, error) {
	if err := conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return "", err
	}
	buf := make([]byte, n)
	n, err := io.ReadFull(conn, buf)
	return string(buf[:n]), err
}

func wantEcho(t *testing.T, conn net.Conn, word string) {
	t.Helper()
	if got, err := say(conn, word, 10*time.Second); got != word {
		t.Fatalf("got %q (%v), want %q", got, err, word)
	}
}

func TestProxyCutsWhatThereIsAndTakesNewConnections(t *testing.T) {
	p := amqptest.NewProxy(t, echo(t))
	conn := dial(t, p.Addr())
	wantEcho(t, conn, "before")
	if n := p.Connections(); n != 1 {
		t.Errorf("%d connections, want 1", n)
	}

	if n := p.Cut(); n != 1 {
		t.Errorf("cut %d connections, want 1", n)
	}
	if _, err := hear(conn, 1, 10*time.Second); !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, io.EOF) {
		t.Errorf("got %v, want the connection's end", err)
	}
	wantEcho(t, dial(t, p.Addr()), "after")
}

func TestFrozenProxyHoldsBackAndLosesNothing(t *testing.T) {
	p := amqptest.NewProxy(t, echo(t))
	conn := dial(t, p.Addr())
	wantEcho(t, conn, "before")

	p.Freeze()
	p.Freeze() // a second Freeze changes nothing
	if got, err := say(conn, "held", 100*time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("got %q (%v) through a frozen proxy", got, err)
	}
	p.Thaw()
	if got, err := hear(conn, len("held"), 10*time.Second); got != "held" {
		t.Fatalf("got %q (%v) after the thaw", got, err)
	}
}

func TestFrozenProxyCanBeCut(t *testing.T) {
	p := amqptest.NewProxy(t, echo(t))
	conn := dial(t, p.Addr())
	wantEcho(t, conn, "before")
	p.Freeze()
	if _, err := conn.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	p.Cut()
	if _, err := hear(conn, 1, 10*time.Second); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("the connection did not end")
	}
}

func TestRefusingProxyKeepsWhatThereIs(t *testing.T) {
	p := amqptest.NewProxy(t, echo(t))
	conn := dial(t, p.Addr())
	wantEcho(t, conn, "before")

	p.Refuse()
	if late, err := net.Dial("tcp", p.Addr()); !errors.Is(err, syscall.ECONNREFUSED) {
		if err == nil {
			_ = late.Close()
		}
		t.Errorf("got %v, want connection refused", err)
	}
	wantEcho(t, conn, "meanwhile")

	p.Accept()
	wantEcho(t, dial(t, p.Addr()), "after")
}

func TestProxyWhoseTargetIsGoneEndsItsClients(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := amqptest.NewProxy(t, listener.Addr().String())
	_ = listener.Close()

	conn, err := net.Dial("tcp", p.Addr())
	if err == nil { // the reset may come during the dial
		_, err = hear(conn, 1, 10*time.Second)
		_ = conn.Close()
	}
	if err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("got %v, want the connection's end", err)
	}
}

func TestProxyStandsBeforeABroker(t *testing.T) {
	p := amqptest.NewProxy(t, amqptest.URL(t))
	conn := amqptest.DialURL(t, p.URL())
	closed := conn.NotifyClose(make(chan *amqp.Error, 1))
	p.Cut()
	select {
	case err := <-closed:
		if err == nil {
			t.Error("closed without an error")
		}
	case <-time.After(10 * time.Second):
		t.Error("the client did not notice")
	}
}
