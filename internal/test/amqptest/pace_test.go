package amqptest_test

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
)

// pair returns a client's connection through a proxy, and the server's end of it.
func pair(t *testing.T) (p *amqptest.Proxy, client, server *net.TCPConn) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	p = amqptest.NewProxy(t, listener.Addr().String())
	client = dial(t, p.Addr()).(*net.TCPConn)
	accepted, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = accepted.Close() })
	wantPassed(t, client, accepted, "hello")
	return p, client, accepted.(*net.TCPConn)
}

func wantPassed(t *testing.T, from, to net.Conn, word string) {
	t.Helper()
	if _, err := from.Write([]byte(word)); err != nil {
		t.Fatal(err)
	}
	if got, err := hear(to, len(word), 10*time.Second); got != word {
		t.Fatalf("got %q (%v), want %q", got, err, word)
	}
}

func wantSilence(t *testing.T, conn net.Conn) {
	t.Helper()
	if got, err := hear(conn, 1, 100*time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("got %q (%v), want silence", got, err)
	}
}

func TestSlowProxyTakesItsTimeEachWay(t *testing.T) {
	p := amqptest.NewProxy(t, echo(t))
	old := dial(t, p.Addr())
	wantEcho(t, old, "before")
	const latency = 100 * time.Millisecond
	p.Slow(latency, 0)
	for _, conn := range []net.Conn{old, dial(t, p.Addr())} {
		began := time.Now()
		wantEcho(t, conn, "there and back")
		if took := time.Since(began); took < 2*latency {
			t.Errorf("took %v, want at least %v", took, 2*latency)
		}
	}
}

func TestSlowProxyLetsSoMuchThroughASecond(t *testing.T) {
	p := amqptest.NewProxy(t, echo(t))
	// The next speed replaces this one, at which the test would take minutes.
	p.Slow(0, 1)
	p.Slow(0, 200)
	conn := dial(t, p.Addr())
	began := time.Now()
	wantEcho(t, conn, string(bytes.Repeat([]byte("x"), 100_000)))
	if took := time.Since(began); took < 400*time.Millisecond {
		t.Errorf("100 kB at 200 kB/s took %v", took)
	}
}

func TestProxyThatIsFastAgainSendsOnWhatItHas(t *testing.T) {
	p := amqptest.NewProxy(t, echo(t))
	conn := dial(t, p.Addr())
	wantEcho(t, conn, "before")
	p.Slow(time.Hour, 1)
	if _, err := conn.Write([]byte("soon")); err != nil {
		t.Fatal(err)
	}
	wantSilence(t, conn)
	p.Fast()
	if got, err := hear(conn, len("soon"), 10*time.Second); got != "soon" {
		t.Fatalf("got %q (%v)", got, err)
	}
	began := time.Now()
	wantEcho(t, conn, "after")
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("took %v", took)
	}
}

// The echo of several megabytes comes back byte for byte while every setting of the proxy changes,
// and while the client does not read.
func TestProxyLosesAndMixesUpNothing(t *testing.T) {
	p := amqptest.NewProxy(t, echo(t))
	conn := dial(t, p.Addr())
	sent := make([]byte, 24<<20)
	random := rand.NewChaCha8([32]byte{})
	_, _ = random.Read(sent)
	var running sync.WaitGroup
	running.Go(func() {
		if _, err := conn.Write(sent); err != nil {
			t.Error(err)
		}
	})
	defer running.Wait()

	got := make([]byte, len(sent))
	if err := conn.SetReadDeadline(time.Now().Add(60 * time.Second)); err != nil {
		t.Fatal(err)
	}
	for at, step := 0, 0; at < len(got); step++ {
		switch step % 4 {
		case 0:
			p.Slow(time.Millisecond, 0)
		case 1:
			p.Freeze()
			p.Slow(time.Millisecond, 50_000) // a frozen proxy accepts the speed too
		case 2:
			p.Thaw()
		case 3:
			p.Fast()
		}
		if step%4 == 1 {
			continue
		}
		next := min(at+1<<20, len(got))
		if _, err := io.ReadFull(conn, got[at:next]); err != nil {
			t.Fatalf("after %d bytes: %v", at, err)
		}
		at = next
	}
	if !bytes.Equal(got, sent) {
		t.Error("other bytes came back than were sent")
	}
}

// Bytes that a frozen proxy does not forward stay with the sender: an unbounded proxy would hide a
// stalled broker.
func TestFrozenProxyMakesTheSenderWait(t *testing.T) {
	p, client, server := pair(t)
	p.Freeze()
	if err := client.SetWriteDeadline(time.Now().Add(2 * time.Second)); err != nil {
		t.Fatal(err)
	}
	sent, err := client.Write(make([]byte, 256<<20))
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("wrote %d MB (%v)", sent>>20, err)
	}
	p.Thaw()
	if err := server.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if got, err := io.CopyN(io.Discard, server, int64(sent)); err != nil {
		t.Errorf("%d of %d bytes: %v", got, sent, err)
	}
}

func TestBlackholeSwallowsAndTellsNobody(t *testing.T) {
	p, client, server := pair(t)
	p.Blackhole(amqptest.Both)
	for _, end := range []*net.TCPConn{client, server} {
		if _, err := end.Write([]byte("lost")); err != nil {
			t.Fatal(err)
		}
	}
	wantSilence(t, server)
	wantSilence(t, client)
	if err := client.Close(); err != nil {
		t.Fatal(err)
	}
	wantSilence(t, server) // the end does not arrive either
	if n := p.Connections(); n != 1 {
		t.Errorf("%d connections, want 1", n)
	}
	if err := server.Close(); err != nil {
		t.Fatal(err)
	}
	amqptest.Eventually(t, 10*time.Second, func() bool { return p.Connections() == 0 }, "both have left, and it is still there")
}

func TestBlackholeOfOneDirectionLeavesTheOther(t *testing.T) {
	p, client, server := pair(t)
	p.Blackhole(amqptest.ToBroker)
	if _, err := client.Write([]byte("lost")); err != nil {
		t.Fatal(err)
	}
	wantSilence(t, server)
	wantPassed(t, server, client, "still here")

	// The server writes to a client that is gone, and does not learn that either.
	if err := client.Close(); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if _, err := server.Write([]byte("hello?")); err != nil {
			t.Fatal(err)
		}
		wantSilence(t, server)
	}
}

func TestBlackholeIsOnlyForConnectionsThatThereAre(t *testing.T) {
	p := amqptest.NewProxy(t, echo(t))
	conn := dial(t, p.Addr())
	wantEcho(t, conn, "before")
	p.Blackhole(amqptest.Both)
	wantEcho(t, dial(t, p.Addr()), "after")
	if n := p.Cut(); n != 2 {
		t.Errorf("cut %d, want 2", n)
	}
	if _, err := hear(conn, 1, 10*time.Second); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("the lost connection is not cut")
	}
}

func TestHalfCloseEndsOneDirectionInOrder(t *testing.T) {
	p, client, server := pair(t)
	if _, err := server.Write([]byte("last words")); err != nil {
		t.Fatal(err)
	}
	if got, err := hear(client, 4, 10*time.Second); got != "last" {
		t.Fatal(err)
	}
	p.HalfClose(amqptest.ToClient)
	if got, err := io.ReadAll(client); string(got) != " words" || err != nil {
		t.Fatalf("got %q (%v), want the rest and the end", got, err)
	}
	wantPassed(t, client, server, "still here")
	if _, err := server.Write([]byte("lost")); err != nil {
		t.Fatal(err)
	}

	if err := client.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := hear(server, 1, 10*time.Second); !errors.Is(err, io.EOF) && !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("got %v, want the connection's end", err)
	}
}

func TestCutEndsASlowConnectionAtOnce(t *testing.T) {
	p, client, server := pair(t)
	p.Slow(time.Hour, 1)
	if _, err := client.Write(make([]byte, 300_000)); err != nil {
		t.Fatal(err)
	}
	if n := p.Cut(); n != 1 {
		t.Errorf("cut %d, want 1", n)
	}
	if _, err := hear(server, 1, 10*time.Second); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("got %v, want a reset", err)
	}
}
